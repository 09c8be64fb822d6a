/** `pentad check reboot` and `pentad check upgrade [FILE]`: may it be done now, on this node. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import manifest from "../../../deno.json" with { type: "json" };
import { FORMATS } from "../../base/formats.ts";
import { EXIT } from "../../base/exit.ts";
import { freeAt } from "../../host/linux/checkup.ts";
import { infoAt } from "../../host/linux/files.ts";
import { systemctl, systemdRuns } from "../../host/linux/systemd.ts";
import type { StatusDocument } from "../../node/view.ts";
import type { Finding } from "../check/finding.ts";
import { printFindings } from "../check/print.ts";
import {
  type Installed,
  type NextProgram,
  type Outlook,
  rebootFindings,
  upgradeFindings,
} from "../check/readiness.ts";
import type { Cli } from "../cli.ts";
import { placesBelow } from "../install/places.ts";
import { isOwnPlace } from "../install/plan.ts";
import { versionOf } from "../install/program_file.ts";
import { foresee } from "./simulate.ts";

/** A node that stops in order has stopped after so long, in what is foreseen. */
const GONE_SECONDS = 30;
const CODES = "exit code 0 yes, 3 with warnings, 7 no";

export function rebootCommand(cli: Cli): CommandUnknownOpts {
  return new Command("reboot")
    .description(`may this node's host be rebooted now: votes left, what would move; ${CODES}`)
    .action(async () => {
      const status = await cli.client.get<StatusDocument>("/v1/status");
      const outlook = await outlookOf(cli, status);
      tell(cli, "reboot", rebootFindings(status, outlook, await isEnabled()));
    });
}

export function upgradeCommand(cli: Cli): CommandUnknownOpts {
  return new Command("upgrade")
    .description(`may this node's program be changed now, to that in FILE; ${CODES}`)
    .argument("[file]", "the program that pentad upgrade is to change to")
    .action(async (file) => {
      const status = await cli.client.get<StatusDocument>("/v1/status");
      const next = file === undefined ? null : await programIn(file);
      tell(cli, "upgrade", upgradeFindings(status, installedHere(), next));
    });
}

/** What harms is no degraded state but a no. */
function tell(cli: Cli, what: string, findings: readonly Finding[]): void {
  const has = (level: Finding["level"]) => findings.some((each) => each.level === level);
  cli.exit = has("fail") ? EXIT.unsafe : has("warn") ? EXIT.degraded : EXIT.ok;
  if (cli.print.format === "json") {
    const [schema, ok] = ["pentad.check-ready/1", !has("fail")];
    return cli.print.json({ schema, what, ok, findings });
  }
  printFindings(cli, findings);
}

/** Null where nothing would move, or nothing can be foreseen. */
async function outlookOf(cli: Cli, status: StatusDocument): Promise<Outlook | null> {
  const self = status.nodes.find((node) => node.self);
  if (self === undefined || self.resources.length === 0 || status.ha.mode !== "armed") return null;
  return await foresee(cli, [
    { event: "shutdown", node: self.name, how: "poweroff" },
    { event: "delay", seconds: GONE_SECONDS },
    { event: "power", node: self.name, to: "off" },
  ]);
}

async function programIn(file: string): Promise<NextProgram> {
  const { version, formats } = await versionOf(file);
  return { version, formats, bytes: infoAt(file)?.size ?? 0 };
}

function installedHere(): Installed {
  const places = placesBelow("");
  const free = [nearest(places.versions), "/var"].map(freeAt).filter((bytes) => bytes !== null);
  return {
    version: manifest.version,
    formats: FORMATS,
    managed: systemdRuns() && infoAt(places.program) !== null && isOwnPlace(places, places.program),
    freeBytes: free.length === 0 ? null : Math.min(...free),
  };
}

/** The folder, or the nearest one above it that is there. */
function nearest(path: string): string {
  if (path === "" || infoAt(path) !== null) return path || "/";
  return nearest(path.slice(0, path.lastIndexOf("/")));
}

async function isEnabled(): Promise<boolean | null> {
  if (!systemdRuns()) return null;
  return (await systemctl("is-enabled", "--quiet", "pentad.service")).success;
}
