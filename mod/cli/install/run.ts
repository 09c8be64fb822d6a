/** `install`, `upgrade`, `rollback` and `uninstall`: each can be repeated, whole or cut off. @module */
import { FORMATS, upgradeFault } from "../../base/formats.ts";
import { EXIT, ProblemError } from "../../base/problem.ts";
import { infoAt, linkAt } from "../../host/linux/files.ts";
import { hostAddress, hostName } from "../../host/linux/host_facts.ts";
import { systemctl, systemdRuns } from "../../host/linux/systemd.ts";
import type { StatusDocument } from "../../node/view.ts";
import type { Cli } from "../cli.ts";
import type { ManPage } from "../troff.ts";
import { type Places, settingsOf, UNIT, versionFile } from "./places.ts";
import {
  fileItem,
  folderItem,
  isOwnFile,
  isOwnPlace,
  type Item,
  linkItem,
  ownVersions,
  programItem,
  refuseForeign,
  remove,
  removeEmpty,
} from "./plan.ts";
import { versionOf } from "./program_file.ts";

const LOOK_MS = 250;

/** What an installation begins with. */
export interface InstallAsk {
  readonly places: Places;
  readonly name: string | null;
  readonly address: string | null;
  readonly completion: string;
  readonly manual: readonly ManPage[];
  readonly dryRun: boolean;
}

/** Puts this very file, its unit and its first settings onto the host; repairs what is there. */
export async function install(cli: Cli, ask: InstallAsk): Promise<void> {
  const { places } = ask;
  const file = ownFile(cli);
  const { version } = await versionOf(file);
  const target = versionFile(places, version);
  const inside = target.slice(places.root.length);
  const items: Item[] = [
    programItem(target, file),
    linkItem(places, places.program, inside),
    folderItem(places.state, 0o700),
    ...settingsItem(ask),
    fileItem(places.unit, UNIT, { mode: 0o644, what: "the unit" }),
    fileItem(places.completion, ask.completion, { mode: 0o644, what: "completions for bash" }),
    ...ask.manual.map(({ name, section, text }) =>
      fileItem(`${places.man}/man${section}/${name}`, text, {
        mode: 0o644,
        what: "a page of the manual",
      })
    ),
  ];
  refuseForeign(items);
  const missing = items.filter((item) => !item.isDone());
  if (!ask.dryRun) { for (const item of missing) asRoot(() => item.make()); }
  report(cli, ask.dryRun, missing.map(({ path, what }) => `${path}   ${what}`));
  if (ask.dryRun) {
    cli.exit = missing.length === 0 ? EXIT.ok : EXIT.changes;
    return;
  }
  if (await serve(places, "enable", "--now")) {
    cli.print.note("pentad runs: systemctl status pentad");
  } else cli.print.note("no systemd here; start it by what there is: pentad daemon");
  cli.print.note("next: pentad init NAME, or pentad join HOST");
}

/** Changes to the program in `file`; back by itself where the node does not come back. */
export async function upgrade(cli: Cli, places: Places, file: string): Promise<void> {
  const { version, formats } = await versionOf(file);
  const fault = upgradeFault(FORMATS, formats);
  if (fault !== null) throw new ProblemError("install.format", fault);
  const target = versionFile(places, version);
  const item = programItem(target, file);
  if (!item.isDone()) asRoot(() => item.make());
  await change(cli, places, target.slice(places.root.length));
  cli.print.note(`pentad ${version} is in use; back to the one before: pentad rollback`);
}

/** Changes to the version that was in use before. */
export async function rollback(cli: Cli, places: Places): Promise<void> {
  const previous = linkAt(places.previous);
  if (previous === null || previous === "") {
    throw new ProblemError("install.no-previous", `"${places.previous}" is not there`);
  }
  refuseForeign([linkItem(places, places.previous, previous)]);
  const { version, formats } = await versionOf(`${places.root}${previous}`);
  const fault = upgradeFault(FORMATS, formats);
  if (fault !== null) throw new ProblemError("install.format", fault);
  await change(cli, places, previous);
  cli.print.note(`pentad ${version} is in use again`);
}

/** Takes away what {@link install} brought; with `purge` what the node has stored too. */
export async function uninstall(
  cli: Cli,
  places: Places,
  how: { readonly purge: boolean; readonly dryRun: boolean; readonly acceptRisk: boolean },
): Promise<void> {
  const member = await memberOf(cli, places);
  if (member !== null && !how.acceptRisk) {
    throw new ProblemError("install.still-member", member);
  }
  const mine = [
    ...[places.unit, places.completion, ...pagesAt(places)].filter(isOwnFile),
    ...[places.program].filter((path) => isOwnPlace(places, path)),
    ...ownVersions(places),
  ];
  if (how.purge) mine.push(places.state, places.settings);
  const there = mine.filter((path) => linkAt(path) !== null);
  if (!how.dryRun) {
    // A unit of that name that is somebody else's service goes on.
    if (isOwnFile(places.unit)) await serve(places, "disable", "--now");
    // The program itself last: what is interrupted can be repeated.
    for (const path of there) asRoot(() => remove(path));
    removeEmpty(places);
    await serve(places);
  }
  report(cli, how.dryRun, there, leftBy(places, how.dryRun ? there : []));
  const kept = [places.state, places.settings].filter((path) => linkAt(path) !== null);
  if (kept.length > 0) cli.print.note(`kept: ${kept.join(" ")}   (--purge takes them too)`);
  if (how.dryRun) cli.exit = there.length === 0 ? EXIT.ok : EXIT.changes;
}

/** Files of the manual that bear our name, of whatever version. */
function pagesAt({ man }: Places): readonly string[] {
  return ["man5", "man8"].map((section) => `${man}/${section}`)
    .filter((folder) => infoAt(folder)?.isDirectory)
    .flatMap((folder) => [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`))
    .filter((path) => /\/pentad(-[a-z]+)?\.[58]$/.test(path)).sort();
}

/** What is in pentad's places and stays there; `gone`: what is still to go. */
function leftBy(
  { unit, completion, program, versions }: Places,
  gone: readonly string[],
): string[] {
  const ours = (path: string) => gone.some((each) => each === path || each.startsWith(`${path}/`));
  return [unit, completion, program, versions].filter((path) =>
    linkAt(path) !== null && !ours(path)
  );
}

function settingsItem({ places, name, address }: InstallAsk): Item[] {
  const what = { mode: 0o640, keep: true, what: "settings" };
  // The administrator's own are enough.
  if (fileItem(places.settings, "", what).isDone()) return [];
  const host = { name: name ?? hostName(), address: address ?? hostAddress() };
  return [fileItem(places.settings, settingsOf(host), what)];
}

/** The link changes, the daemon restarts, and the link changes back if it is not well. */
async function change(cli: Cli, places: Places, target: string): Promise<void> {
  const before = linkAt(places.program);
  if (before === target) return cli.print.note("that version is in use already");
  const links = [places.program, places.previous].map((path) => linkItem(places, path, target));
  refuseForeign(links);
  const wasQuorate = (await status(cli))?.quorate ?? false;
  asRoot(() => {
    if (before !== null) linkItem(places, places.previous, before).make();
    linkItem(places, places.program, target).make();
  });
  if (!await serve(places, "restart")) {
    return cli.print.note(
      "no systemd here: the daemon goes on with its old version until restarted",
    );
  }
  if (await isBack(cli, wasQuorate) || before === null) return;
  asRoot(() => {
    linkItem(places, places.program, before).make();
    linkItem(places, places.previous, target).make();
  });
  await serve(places, "restart");
  const why = `no answer of a healthy node within ${cli.waitMs / 1000} s`;
  throw new ProblemError("install.unhealthy", why);
}

async function isBack(cli: Cli, wasQuorate: boolean): Promise<boolean> {
  const end = performance.now() + cli.waitMs;
  while (performance.now() < end) {
    const now = await status(cli);
    if (now !== null && (now.quorate || !wasQuorate)) return true;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return false;
}

async function status(cli: Cli): Promise<StatusDocument | null> {
  try {
    return await cli.client.get<StatusDocument>("/v1/status");
  } catch (error) {
    if (error instanceof ProblemError) return null;
    throw error;
  }
}

/** What makes this host a member, in words; null for nothing. */
async function memberOf(cli: Cli, places: Places): Promise<string | null> {
  const now = places.root === "" ? await status(cli) : null;
  const name = now?.node?.name;
  const running = now?.resources.filter(({ node }) => node === name) ?? [];
  if (running.length > 0) return `it runs ${running.map(({ id }) => id).join(", ")}`;
  if (now?.cluster) return `it is a member of "${now.cluster.name}"`;
  // The daemon may not run; its identity is there all the same.
  const identity = `${places.state}/node.json`;
  return linkAt(identity) === null ? null : `"${identity}" says that it is one`;
}

/** Tells systemd; false where there is none, or what it is told is not this host's own. */
async function serve(places: Places, ...words: readonly string[]): Promise<boolean> {
  if (places.root !== "" || !systemdRuns()) return false;
  await systemctl("daemon-reload");
  return words.length === 0 || (await systemctl(...words, "pentad.service")).success;
}

function ownFile({ wiring }: Cli): string {
  if (wiring.file !== null) return wiring.file;
  throw new ProblemError("install.no-file", "this pentad runs from its source");
}

/** Refuses by name what only root may do. */
export function asRoot(body: () => void): void {
  try {
    body();
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    throw new ProblemError("install.not-root", error.message, { cause: error });
  }
}

function report(
  cli: Cli,
  dryRun: boolean,
  lines: readonly string[],
  left: readonly string[] = [],
): void {
  if (cli.print.format === "json") {
    return cli.print.json({ schema: "pentad.install/1", dry_run: dryRun, items: lines, left });
  }
  if (left.length > 0) cli.print.note(`left, for it is not pentad's: ${left.join(" ")}`);
  for (const line of lines) cli.print.line(line);
  if (lines.length === 0) cli.print.note("nothing is to be done");
}
