/**
 * What roots of hosts with an sshd do to let one another in: in namespaces as on lab hosts.
 *
 * @module
 */
import type { Ran } from "./lab/shell.ts";

const KEY = "~/.ssh/id_ed25519";

/** Hosts with an sshd, by place. */
export interface SshRoots {
  /** Where the others reach it. */
  address(at: number): string;
  /** Runs a shell command as its root. */
  shell(at: number, script: string): Promise<Ran>;
}

/** The fingerprint that `ssh-keygen -l` prints on a host. */
export async function fingerprint(roots: SshRoots, at: number): Promise<string> {
  const line = await must(roots, at, "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub");
  return line.split(" ")[1] ?? "";
}

/** Lets one host's root in on another, as a person would with ssh-copy-id. */
export async function letIn(roots: SshRoots, who: number, where: number): Promise<void> {
  await must(roots, who, `[ -f ${KEY} ] || ssh-keygen -q -t ed25519 -N '' -f ${KEY}`);
  const line = (await must(roots, who, `cat ${KEY}.pub`)).trim();
  await must(roots, where, `umask 077; echo '${line}' >> ~/.ssh/authorized_keys`);
}

/** "in" where one host's root gets in on another, whose key it must know; else what ssh said. */
export async function logsIn(roots: SshRoots, from: number, to: number): Promise<string> {
  const options = "-o BatchMode=yes -o StrictHostKeyChecking=yes";
  const { code, err } = await roots.shell(from, `ssh ${options} root@${roots.address(to)} true`);
  return code === 0 ? "in" : err;
}

async function must(roots: SshRoots, at: number, script: string): Promise<string> {
  const { code, out, err } = await roots.shell(at, script);
  if (code === 0) return out;
  throw new Error(`host ${at}: ${script}: exit ${code}: ${err}${out}`);
}
