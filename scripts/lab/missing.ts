/** Whether this machine can run the lab. @module */

/** Programs that the lab calls, with the Debian package of each. */
const PROGRAMS: readonly (readonly [program: string, package_: string])[] = [
  ["linux.uml", "user-mode-linux"],
  ["ip", "iproute2"],
  ["nft", "nftables"],
  ["nsenter", "util-linux"],
  ["mkfs.ext4", "e2fsprogs"],
  ["ssh", "openssh-client"],
  ["sshd", "openssh-server"],
  ["modprobe", "kmod"],
  ["iscsiadm", "open-iscsi"],
  ["tgtd", "tgt"],
  ["sg_persist", "sg3-utils"],
  ["dmsetup", "dmsetup"],
  ["rsync", "rsync"],
  ["perl", "perl-base"],
];
/** Where Debian has programs for administrators; not on everybody's PATH. */
const FOLDERS = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"];

/** Why the lab cannot run here, in words; null where it can. */
export function labMissing(): string | null {
  if (Deno.uid() !== 0) return "not root";
  if (Deno.build.arch !== "x86_64") return `no user-mode kernel for ${Deno.build.arch}`;
  const missing = PROGRAMS.filter(([program]) => !found(program)).map(([, name]) => name);
  if (missing.length > 0) return `not installed: ${missing.join(" ")}`;
  if (!exists("/dev/net/tun")) return "no /dev/net/tun";
  return null;
}

function found(program: string): boolean {
  return FOLDERS.some((folder) => exists(`${folder}/${program}`));
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
