/** `pentad storage check`: can this disk really fence? Needs no daemon, and keeps what it saw. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { KeptTest } from "../../base/disk_test.ts";
import { EXIT, ProblemError } from "../../base/problem.ts";
import { type CheckAnswer, type CheckCall, checkDisk, isInUse } from "../../host/scsi/check.ts";
import type { DiskReport } from "../../host/ports.ts";
import type { Cli } from "../cli.ts";
import { DiskHand } from "../disk_hand.ts";
import { safeText } from "../print.ts";
import { readSettingsFile, settingsOption } from "../settings_file.ts";

const EXITS = { "fences": EXIT.ok, "unproven": EXIT.degraded, "cannot-fence": EXIT.failed };
const GRADES = { yes: "good", no: "bad", unseen: "warn" } as const;

export function checkCommand(cli: Cli): CommandUnknownOpts {
  return new Command("check")
    .description("test whether a disk can fence; nobody may be registered on it")
    .argument("<device>")
    .option("--second <device>", "another way to it (of several paths the second, unless named)")
    .addOption(settingsOption())
    .action(async (device, { second, settings }) => {
      const port = await cli.wiring.disks();
      const hands: DiskHand[] = [];
      const hold = async (path: string) => {
        const hand = await DiskHand.open(port, path, cli.waitMs);
        hands.push(hand);
        return hand;
      };
      try {
        let first = await hold(device);
        const report = await first.report();
        refuseUsed(isInUse(report));
        const [pathA, pathB] = report.paths;
        let other: DiskHand | null = null;
        if (second !== undefined) other = await hold(second);
        else if (pathA !== undefined && pathB !== undefined) {
          first = await hold(pathA);
          other = await hold(pathB);
        }
        if (other !== null) {
          refuseOther(report, await other.report());
        }
        const sides = { first, second: other, name: report.name, model: report.model };
        await test(
          cli,
          sides,
          (seen) => keep(cli, settings, { ...seen, disk: device, path: device }),
        );
      } finally {
        for (const hand of hands) hand.close();
      }
    });
}

interface Sides {
  readonly first: DiskHand;
  readonly second: DiskHand | null;
  readonly name: string | null;
  readonly model: string;
}

type Seen = Pick<KeptTest, "unit" | "verdict" | "steps">;

async function test(
  cli: Cli,
  { first, second, name, model }: Sides,
  kept: (seen: Seen) => Promise<void>,
): Promise<void> {
  const check = checkDisk({ keys: [randomKey(), randomKey()], pair: second !== null });
  let next = check.next();
  while (next.done !== true) {
    const { on } = next.value;
    next = check.next(await make(next.value, on === "first" ? first : second ?? first));
  }
  const { verdict, steps } = next.value;
  cli.exit = EXITS[verdict];
  await kept({ unit: name === null ? model : `${model} ${name}`, verdict, steps });
  if (cli.print.format === "json") {
    const answer = { schema: "pentad.storage-check/1", device: first.path, name, model };
    return cli.print.json({
      ...answer,
      verdict,
      steps: steps.map((each) => ({ ...each, optional: each.optional === true })),
    });
  }
  cli.print.table(
    ["SEEN", "WHAT", "ANSWER"],
    steps.map(({ what, seen, detail, optional }) => [
      cli.print.state(seen, optional === true && seen === "no" ? "warn" : GRADES[seen]),
      what,
      safeText(detail),
    ]),
  );
  cli.print.line(`verdict: ${verdict}`);
  if (second === null) cli.print.note("name another path to it with --second to see the rest");
}

/** For `storage show`. The disk is what was asked about: whoever cannot keep it is told, no more. */
async function keep(
  cli: Cli,
  settings: string,
  seen: Omit<KeptTest, "by" | "at">,
): Promise<void> {
  const { keepDiskTest } = await import("../../host/linux/disk_tests.ts");
  try {
    const { state } = await readSettingsFile(cli.io, settings);
    await keepDiskTest(state, { by: "check", at: Date.now(), ...seen });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    cli.print.note(`the result is not kept: ${why}`);
  }
}

/** A hung disk is an answer as well: the test goes on to take its registrations away. */
function make(call: CheckCall, hand: DiskHand): Promise<CheckAnswer> {
  if (call.call === "command") return hand.command(call.command);
  return call.call === "inspect" ? hand.inspect() : hand.tryWrite();
}

function refuseUsed(why: string | null): void {
  if (why !== null) throw new ProblemError("storage.in-use", why);
}

/** Two ways must lead to one disk: by its name, or (a file has none) by its path. */
function refuseOther(one: DiskReport, other: DiskReport): void {
  if (one.name === null ? one.paths[0] === other.paths[0] : one.name === other.name) return;
  const [a, b] = [one, other].map(({ name, paths }) => `"${paths[0]}" (${name ?? "no name"})`);
  throw new ProblemError("cli.usage", `${a} and ${b} are two disks`);
}

function randomKey(): string {
  return crypto.getRandomValues(new Uint8Array(8)).toHex();
}
