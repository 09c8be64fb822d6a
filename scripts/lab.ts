/**
 * `deno task lab …`: a lab of real Linux hosts for a developer; see scripts/lab/README.md.
 *
 * @module
 */
import { Lab } from "./lab/lab.ts";
import { labMissing } from "./lab/missing.ts";
import type { LabHost } from "./lab/host.ts";

const HELP =
  `deno task lab COMMAND           (PENTAD_LAB names its folder, /var/tmp/pentad-lab by default)

  up [HOSTS]           makes hosts h1 to hN (3) and boots them
  san [lio|tgt]        exports a disk of the last host, and logs the others in to it
  shell HOST           a prompt on a host
  run HOST COMMAND     runs a shell command on a host
  order HOST COMMAND   the same without any network
  pentad HOST ARGS     runs this tree's pentad on a host
  cut HOST…            power off, at once
  boot HOST…           power on; its disk is kept
  freeze HOST…         stops a host, as a hypervisor would
  thaw HOST…           lets it go on
  block FROM TO [NIC]  drops what FROM sends to TO ("any": every host), one way
  unblock              lifts every block
  unplug HOST [NIC]    takes a cable out
  plug HOST [NIC]      puts it in again
  rounds [N [SECONDS]] in a lab of its own: N times (20) both network and disk are cut, once the
                       network alone for SECONDS (300); prints who went on and when
  state                which hosts are on
  down                 ends everything and leaves nothing behind`;

const FOLDER = Deno.env.get("PENTAD_LAB") ?? "/var/tmp/pentad-lab";
const HOSTS = 3;
const JUDGEMENT = new URL("../tests/lab/judgement_test.ts", import.meta.url).pathname;
/** What the tests in it are called that `rounds` runs. */
const ROUNDS = "/both are cut|the pulse lives/";
const SAN_BYTES = 64 * 1024 ** 2;

function hostOf(lab: Lab, name: string | undefined): LabHost {
  const host = lab.hosts.find((each) => each.name === name);
  if (host !== undefined) return host;
  throw new Error(`There is no host "${name}": ${lab.hosts.map((each) => each.name).join(" ")}`);
}

/** Runs a program at the terminal; its exit code. */
async function attach(command: readonly string[]): Promise<number> {
  const [program = "", ...args] = command;
  const child = new Deno.Command(program, {
    args,
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  });
  return (await child.spawn().status).code;
}

async function san(lab: Lab, kind: string): Promise<void> {
  const array = lab.hosts.at(-1);
  if (array === undefined) return;
  await array.must(`/lab/target.sh ${kind} ${SAN_BYTES}`);
  for (const host of lab.hosts.slice(0, -1)) {
    console.log(host.name, await host.must(`/lab/login.sh ${kind} ${array.name}`));
  }
}

async function pentad(lab: Lab, host: LabHost, args: readonly string[]): Promise<number> {
  const quoted = args.map((arg) => `'${arg.replaceAll("'", `'\\''`)}'`);
  return await attach([...host.remote, "-t", "--", ...await lab.pentad(), ...quoted]);
}

/** The judgement's two tests that want repeating, and long. */
async function rounds(count: string, seconds: string): Promise<number> {
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", `--filter=${ROUNDS}`, JUDGEMENT],
    env: { PENTAD_LAB_ROUNDS: count, PENTAD_LAB_CUT_SECONDS: seconds, NO_COLOR: "1" },
    stdin: "null",
  }).spawn().status;
  return code;
}

async function run([command, ...args]: readonly string[]): Promise<number> {
  if (command === "up") {
    const missing = labMissing();
    if (missing !== null) throw new Error(`The lab cannot run here: ${missing}`);
    const lab = await Lab.make({ hosts: Number(args[0] ?? HOSTS), folder: FOLDER });
    console.log(lab.hosts.map(({ name }) => name).join(" "));
    return 0;
  }
  if (command === undefined || command === "help" || command === "--help") {
    console.log(HELP);
    return 0;
  }
  if (command === "rounds") return await rounds(args[0] ?? "20", args[1] ?? "300");
  const lab = await Lab.open(FOLDER);
  const host = () => hostOf(lab, args[0]);
  const each = async (act: (host: LabHost) => Promise<void>) => {
    for (const name of args) await act(hostOf(lab, name));
  };
  const nic = (at: number) => args[at] === undefined ? 1 : Number(args[at]);
  switch (command) {
    case "san":
      await san(lab, args[0] ?? "lio");
      break;
    case "shell":
      return await attach([...host().remote.slice(0, -1), "-t", host().name]);
    case "run":
      return await attach([...host().remote, "--", args.slice(1).join(" ")]);
    case "order": {
      const { code, out } = await host().order(args.slice(1).join(" "));
      console.log(out.trimEnd());
      return code;
    }
    case "pentad":
      return await pentad(lab, host(), args.slice(1));
    case "cut":
      await each((one) => one.cut());
      break;
    case "boot":
      await each((one) => one.boot());
      break;
    case "freeze":
      await each((one) => one.freeze());
      break;
    case "thaw":
      await each((one) => one.thaw());
      break;
    case "block":
      await lab.network.block(args[0] ?? "", args[1] ?? "", nic(2));
      break;
    case "unblock":
      await lab.network.unblock();
      break;
    case "unplug":
      await lab.network.unplug(host().name, nic(1));
      break;
    case "plug":
      await lab.network.plug(host().name, nic(1));
      break;
    case "state":
      for (const one of lab.hosts) console.log(one.name, one.pid() === null ? "off" : "on");
      break;
    case "down":
      await lab.close();
      break;
    default:
      console.error(HELP);
      return 2;
  }
  return 0;
}

try {
  Deno.exit(await run(Deno.args));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  Deno.exit(1);
}
