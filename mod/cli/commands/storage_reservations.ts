/** `pentad storage reservations …`: who may write to a disk. Needs no daemon. @module */
import {
  Command,
  type CommandUnknownOpts,
  InvalidArgumentError,
  Option,
} from "@commander-js/extra-typings";
import { ProblemError } from "../../base/problem.ts";
import type { ReservationCommand, ReservationType } from "../../host/ports.ts";
import type { Cli } from "../cli.ts";
import { DiskHand, problemOf } from "../disk_hand.ts";
import { safeText } from "../print.ts";
import {
  capabilityLine,
  consequenceOf,
  keyText,
  reportJson,
  type Risk,
  RISKS,
  stateLines,
} from "../reservation_words.ts";

const TYPES: readonly ReservationType[] = [1, 3, 5, 6, 7, 8];
const TYPE_DEFAULT = 5;
const KEY_DIGITS = 16;
/** Of one registration; the port's own bound. */
const PORTS_MAX = 64;

export function reservationsCommand(cli: Cli): CommandUnknownOpts {
  return new Command("reservations")
    .description("SCSI-3 persistent reservations of a disk; needs root and no daemon")
    .addCommand(showCommand(cli))
    .addCommand(registerCommand(cli))
    .addCommand(holdCommand(cli, "reserve", "hold the disk"))
    .addCommand(holdCommand(cli, "release", "give the reservation back"))
    .addCommand(preemptCommand(cli))
    .addCommand(clearCommand(cli));
}

function showCommand(cli: Cli): CommandUnknownOpts {
  return new Command("show").description("keys, holder, ports, and what the target can do")
    .argument("<device>")
    .action(async (device) => {
      const hand = await open(cli, device);
      const report = await hand.report();
      hand.close();
      if (cli.print.format === "json") return cli.print.json(reportJson(device, report));
      const { name, model, paths, through } = report;
      cli.print.line(safeText(`${device}: ${model} (${name ?? "without a name"})`));
      for (const line of stateLines(report)) cli.print.line(line);
      cli.print.line(`  ${capabilityLine(report)}`);
      cli.print.line(safeText(`  through ${through}, paths: ${paths.join(" ")}`));
      if (report.registrations === null) return;
      cli.print.table(
        ["KEY", "HOLDS", "INITIATOR PORT", "TARGET PORT"],
        report.registrations.map((each) => [
          keyText(each.key),
          each.holds === null ? "-" : String(each.holds),
          safeText(each.initiatorPort),
          each.allTargetPorts ? "all" : String(each.targetPort),
        ]),
      );
    });
}

function registerCommand(cli: Cli): CommandUnknownOpts {
  return new Command("register").description(
    "register this host's ports, or (key 0) take that back",
  )
    .argument("<device>")
    .requiredOption("--key <key>", "the new key, up to 16 hex digits; 0 unregisters", key)
    .option("--old <key>", "only where this is the key now; else whatever it is", key)
    .addOption(
      new Option("--aptpl <when>", "outlast the target's loss of power").choices(
        ["auto", "yes", "no"] as const,
      ).default("auto" as const),
    )
    .option("--all-target-ports", "through every port of the target (ALL_TG_PT)")
    .option("--initiator-port <name...>", "for these iSCSI initiators too (SPEC_I_PT)")
    .addOption(riskOption())
    .action(async (device, options) => {
      const { aptpl, old, allTargetPorts = false, initiatorPort = [] } = options;
      if (initiatorPort.length > PORTS_MAX) {
        throw new ProblemError("cli.usage", `more than ${PORTS_MAX} initiator ports`);
      }
      await change(cli, device, options.acceptRisk, {
        kind: "register",
        key: options.key,
        old: old ?? null,
        persist: aptpl === "auto" ? null : aptpl === "yes",
        allTargetPorts,
        initiatorPorts: initiatorPort,
      });
    });
}

function holdCommand(cli: Cli, kind: "reserve" | "release", what: string): CommandUnknownOpts {
  return new Command(kind).description(what)
    .argument("<device>")
    .requiredOption("--key <key>", "this host's key", key)
    .option("--type <number>", "1, 3, 5, 6, 7 or 8", type, TYPE_DEFAULT)
    .addOption(riskOption())
    .action((device, options) =>
      change(cli, device, options.acceptRisk, { kind, key: options.key, type: options.type })
    );
}

function preemptCommand(cli: Cli): CommandUnknownOpts {
  return new Command("preempt").description("take another key's registrations away")
    .argument("<device>")
    .requiredOption("--key <key>", "this host's key", key)
    .requiredOption("--victim <key>", "whose registrations", key)
    .option("--type <number>", "of the reservation, where the victim holds it", type, TYPE_DEFAULT)
    .option("--no-abort", "PREEMPT only: what the target has queued of it may still land")
    .addOption(riskOption())
    .action((device, options) =>
      change(cli, device, options.acceptRisk, {
        kind: "preempt",
        key: options.key,
        victim: options.victim,
        type: options.type,
        abort: options.abort,
      })
    );
}

function clearCommand(cli: Cli): CommandUnknownOpts {
  return new Command("clear").description("take every registration and the reservation away")
    .argument("<device>")
    .requiredOption("--key <key>", "this host's key", key)
    .addOption(riskOption())
    .action((device, options) =>
      change(cli, device, options.acceptRisk, { kind: "clear", key: options.key })
    );
}

/** Looks, says what would happen, and does it where that was accepted. */
async function change(
  cli: Cli,
  device: string,
  accepted: Risk | undefined,
  command: ReservationCommand,
): Promise<void> {
  const hand = await open(cli, device);
  try {
    const consequence = consequenceOf(command, await hand.report());
    if (consequence !== null && consequence.risk !== accepted) {
      const { risk, would } = consequence;
      throw new ProblemError("storage.needs-consent", `--accept-risk=${risk}: ${would}`);
    }
    const failure = await hand.command(command);
    if (failure !== null) throw problemOf(device, failure);
    const report = await hand.report();
    if (cli.print.format === "json") return cli.print.json(reportJson(device, report));
    for (const line of stateLines(report)) cli.print.line(line);
  } finally {
    hand.close();
  }
}

async function open(cli: Cli, device: string): Promise<DiskHand> {
  return await DiskHand.open(await cli.wiring.disks(), device, cli.waitMs);
}

function riskOption() {
  return new Option("--accept-risk <risk>", "you have read what it would do").choices(RISKS);
}

/** A key as people write it, in full. */
function key(text: string): string {
  const digits = /^(?:0x)?([0-9a-f]{1,16})$/i.exec(text)?.[1];
  if (digits !== undefined) return digits.toLowerCase().padStart(KEY_DIGITS, "0");
  throw new InvalidArgumentError(`It must be 1 to ${KEY_DIGITS} hex digits.`);
}

function type(text: string): ReservationType {
  const found = TYPES.find((each) => String(each) === text);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`It must be one of ${TYPES.join(", ")}.`);
}
