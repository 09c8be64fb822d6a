/**
 * OpenSSH and rsync of this host, as programs: one connection to one host, whose keys are pinned.
 * Nothing secret goes into arguments; what a person must type, ssh(1) asks on the terminal itself.
 *
 * @module
 */
import { encodeText } from "../../base/bytes.ts";
import { ProblemError } from "../../base/problem.ts";
import { shellWord } from "../../base/shell_word.ts";

/** Where to log in. */
export interface SshTarget {
  readonly user: string;
  readonly host: string;
  /** Null: what ssh_config(5) says. */
  readonly port: number | null;
}

/** How a program ended. */
export interface ProgramResult {
  readonly code: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

/** ssh(1): "255 if an error occurred". */
const SSH_FAILED = 255;
const SCAN_SECONDS = 5;
const CONNECT_SECONDS = 10;
/** A connection that is silent for three of these is given up: the network is cut. */
const ALIVE_SECONDS = 5;
/** A master outlives its last use by so long. */
const PERSIST_SECONDS = 60;
const COPY_SILENCE_SECONDS = 30;

/** The Debian package of each program. */
const PACKAGES: Readonly<Record<string, string>> = {
  "ssh": "openssh-client",
  "ssh-keygen": "openssh-client",
  "ssh-keyscan": "openssh-client",
  "rsync": "rsync",
};

/** How each program is asked whether it is there. */
const PROBES: Readonly<Record<string, readonly string[]>> = {
  ssh: ["-V"],
  "ssh-keygen": ["-?"],
  "ssh-keyscan": ["-?"],
  rsync: ["--version"],
};

/** Throws a ProblemError for the first program that this host lacks. */
export async function needPrograms(): Promise<void> {
  for (const [program, args] of Object.entries(PROBES)) await runProgram(program, args);
}

/** The programs that this host lacks, and their Debian packages. */
export async function missingPrograms(): Promise<readonly { program: string; package: string }[]> {
  const missing: { program: string; package: string }[] = [];
  for (const [program, args] of Object.entries(PROBES)) {
    try {
      await runProgram(program, args);
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      missing.push({ program, package: PACKAGES[program] ?? program });
    }
  }
  return missing;
}

/** What the host says its keys are; anybody on the way could have said it. */
export async function scanHostKeys({ host, port }: SshTarget): Promise<string> {
  const ports = port === null ? [] : ["-p", String(port)];
  const { stdout } = await runProgram("ssh-keyscan", ["-T", String(SCAN_SECONDS), ...ports, host]);
  return new TextDecoder().decode(stdout);
}

/** Makes an ed25519 key pair without passphrase at a path where none is. */
export async function makeKeyPair(path: string, comment: string): Promise<void> {
  const args = ["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path];
  const { code, stderr } = await runProgram("ssh-keygen", args);
  if (code !== 0) throw new ProblemError("join.missing-program", `ssh-keygen: ${stderr.trim()}`);
}

/** A connection; `folder` is private, short, and holds its control socket. */
export class Ssh {
  readonly #target: SshTarget;
  readonly #options: readonly string[];

  /** `knownHosts` is a file with the keys that are trusted, and no others are. */
  constructor(target: SshTarget, knownHosts: string, folder: string, interactive: boolean) {
    this.#target = target;
    this.#options = [
      ...option("UserKnownHostsFile", knownHosts),
      ...option("GlobalKnownHostsFile", "/dev/null"),
      ...option("StrictHostKeyChecking", "yes"),
      ...option("UpdateHostKeys", "no"),
      ...option("BatchMode", interactive ? "no" : "yes"),
      ...option("ConnectTimeout", String(CONNECT_SECONDS)),
      ...option("ServerAliveInterval", String(ALIVE_SECONDS)),
      ...option("ForwardAgent", "no"),
      ...option("ForwardX11", "no"),
      ...option("ControlMaster", "auto"),
      ...option("ControlPath", `${folder}/ssh`),
      ...option("ControlPersist", String(PERSIST_SECONDS)),
    ];
  }

  /** Runs a program there. Throws a ProblemError where nobody let us in. */
  async run(words: readonly string[], input?: Uint8Array): Promise<ProgramResult> {
    const { user, host, port } = this.#target;
    const ports = port === null ? [] : ["-p", String(port)];
    const command = words.map(shellWord).join(" ");
    const args = [...this.#options, ...ports, "-l", user, "--", host, command];
    const result = await runProgram("ssh", args, input);
    if (result.code !== SSH_FAILED) return result;
    throw wayFault(`${user}@${host}`, result.stderr);
  }

  /**
   * One full copy of a folder there into a folder here: files and folders. Links, devices and modes of
   * the other side are not taken over, for what is read of the copy must be the copy. Throws a
   * ProblemError where it fails.
   */
  async copy(from: string, to: string): Promise<void> {
    const { user, host, port } = this.#target;
    const ports = port === null ? [] : ["-p", String(port)];
    const shell = ["ssh", ...this.#options, ...ports, "-l", user].map(shellWord).join(" ");
    // An IPv6 address has colons of its own.
    const place = host.includes(":") ? `[${host}]` : host;
    const silence = `--timeout=${COPY_SILENCE_SECONDS}`;
    const args = ["-rt", "--delete", silence, "-e", shell, `${place}:${from}/`, `${to}/`];
    const { code, stderr } = await runProgram("rsync", args);
    if (code === 0) return;
    // rsync(1) hands on what ssh ended with.
    if (code === SSH_FAILED) throw wayFault(`${user}@${host}`, stderr);
    const why =
      /rsync: (?:command )?not found|rsync: No such file|rsync: Permission denied/.test(stderr)
        ? `"${host}" has no rsync; install the package rsync there`
        : lastLine(stderr);
    throw new ProblemError("join.copy", why);
  }

  /** Ends the connection. Never throws. */
  async close(): Promise<void> {
    const args = [...this.#options, "-O", "exit", "--", this.#target.host];
    await runProgram("ssh", args).catch(() => null);
  }
}

/**
 * Why ssh(1) came to no session, out of what it printed: the host is another one, it lets nobody in, or
 * there is no way there (any more).
 */
export function wayFault(place: string, stderr: string): ProblemError {
  const told = stderr.split("\n").filter((line) => !/^rsync(:| error)/.test(line)).join("\n");
  const why = `"${place}": ${lastLine(told)}`;
  if (/Host key verification failed|IDENTIFICATION HAS CHANGED/.test(stderr)) {
    return new ProblemError("join.host-key", why);
  }
  const denied = /Permission denied|Too many authentication failures|no matching .* found/i;
  return new ProblemError(denied.test(stderr) ? "join.login" : "join.no-way", why);
}

/** Runs a program to its end. Throws a ProblemError where this host has none of that name. */
async function runProgram(
  program: string,
  args: readonly string[],
  input?: Uint8Array,
): Promise<ProgramResult> {
  try {
    const child = new Deno.Command(program, {
      args: [...args],
      stdin: input === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    if (input !== undefined) await feed(child, input);
    const { code, stdout, stderr } = await child.output();
    return { code, stdout, stderr: new TextDecoder().decode(stderr) };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const why = `no "${program}" on this host; its package is ${PACKAGES[program] ?? program}`;
    throw new ProblemError("join.missing-program", why, { cause: error });
  }
}

/** A program that ended before it read all says so by its exit code. */
async function feed(child: Deno.ChildProcess, input: Uint8Array): Promise<void> {
  const writer = child.stdin.getWriter();
  try {
    await writer.write(new Uint8Array(input));
    await writer.close();
  } catch {
    await writer.abort().catch(() => {});
  }
}

function option(name: string, value: string): readonly string[] {
  return ["-o", `${name}=${value}`];
}

/** What a program said last: ssh(1) puts the reason there. */
function lastLine(text: string): string {
  return text.trim().split("\n").at(-1)?.trim() || "it ended without a word";
}

/** Text as the input of a program. */
export function inputOf(value: unknown): Uint8Array {
  return encodeText(JSON.stringify(value));
}
