/** `install`, `upgrade`, `rollback` and `uninstall`: each can be repeated, whole or cut off. @module */
import { FORMATS, upgradeFault } from "../../base/formats.ts";
import { EXIT, ProblemError } from "../../base/problem.ts";
import { infoAt, linkAt } from "../../host/linux/files.ts";
import { hostAddress, hostName } from "../../host/linux/host_facts.ts";
import { clearAllUnpacked } from "../../host/linux/unpacked.ts";
import type { Cli } from "../cli.ts";
import type { ManPage } from "../troff.ts";
import { asRoot } from "./as_root.ts";
import { change, clear, serve, settle, statusOf } from "./change.ts";
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
  if (!ask.dryRun && settle(places) !== null) clear(places);
  const missing = items.filter((item) => !item.isDone());
  if (!ask.dryRun) { for (const item of missing) asRoot(() => item.make()); }
  report(cli, ask.dryRun, missing.map(({ path, what }) => `${path}   ${what}`));
  if (ask.dryRun) {
    cli.exit = missing.length === 0 ? EXIT.ok : EXIT.changes;
    return;
  }
  const served = await serve(places, "enable", "--now");
  if (typeof served === "object") {
    throw new ProblemError("install.not-started", `systemctl enable --now: ${served.failure}`);
  }
  if (served === "done") cli.print.note("pentad runs: systemctl status pentad");
  else cli.print.note("no systemd here; start it by what there is: pentad daemon");
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
  const cut = settle(places);
  await change(cli, places, { verb: "upgrade", target: target.slice(places.root.length), cut });
  cli.print.note(`pentad ${version} is in use; back to the one before: pentad rollback`);
}

/** Changes to the version that was in use before. */
export async function rollback(cli: Cli, places: Places): Promise<void> {
  const cut = settle(places);
  if (cut?.verb === "upgrade" && !cut.done) {
    clear(places);
    return cli.print.note(
      "an upgrade was cut off before it changed anything: nothing is to go back",
    );
  }
  // One that was cut off goes on; beginning anew it would change back.
  const goesOn = cut?.verb === "rollback" && cut.done;
  const path = goesOn ? places.program : places.previous;
  const previous = linkAt(path);
  if (previous === null || previous === "") {
    throw new ProblemError("install.no-previous", `"${path}" is not there`);
  }
  refuseForeign([linkItem(places, path, previous)]);
  const { version, formats } = await versionOf(`${places.root}${previous}`);
  const fault = upgradeFault(FORMATS, formats);
  if (fault !== null) throw new ProblemError("install.format", fault);
  await change(cli, places, { verb: "rollback", target: previous, cut });
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
  const there = brought(places, how.purge).filter((path) => linkAt(path) !== null);
  if (!how.dryRun) {
    // A unit of that name that is somebody else's service goes on.
    if (isOwnFile(places.unit)) await serve(places, "disable", "--now");
    for (const path of there) asRoot(() => remove(path));
    clearAllUnpacked(places.cache);
    removeEmpty(places);
    await serve(places);
  }
  report(cli, how.dryRun, there, leftBy(places, how.dryRun ? there : []));
  const kept = [places.state, places.settings].filter((path) => linkAt(path) !== null);
  if (kept.length > 0) cli.print.note(`kept: ${kept.join(" ")}   (--purge takes them too)`);
  if (how.dryRun) cli.exit = there.length === 0 ? EXIT.ok : EXIT.changes;
}

/**
 * What an installation brought, and what one that was cut off left half (`.new`). In the order in
 * which it goes: the program that does so last, and what it is called by just before, so that what
 * is interrupted can be repeated.
 */
function brought(places: Places, purge: boolean): readonly string[] {
  const { unit, completion, program, settings, state } = places;
  const texts = [unit, completion, ...pagesAt(places)].filter(isOwnFile);
  const inUse = `${places.root}${linkAt(program) ?? ""}`;
  const versions = ownVersions(places);
  return [
    ...(purge ? [state, settings] : []),
    `${settings}.new`,
    ...texts.flatMap((path) => [path, `${path}.new`]),
    ...versions.filter((path) => path !== inUse),
    ...(isOwnPlace(places, program) ? [`${program}.new`, program] : []),
    ...versions.filter((path) => path === inUse),
  ];
}

/** Files of the manual that bear our name, of whatever version. */
function pagesAt({ man }: Places): readonly string[] {
  return ["man5", "man8"].map((section) => `${man}/${section}`)
    .filter((folder) => infoAt(folder)?.isDirectory)
    .flatMap((folder) => [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`))
    .flatMap((path) => /^(.*\/pentad(-[a-z]+)?\.[58])(\.new)?$/.exec(path)?.[1] ?? []).sort();
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

/** What makes this host a member, in words; null for nothing. */
async function memberOf(cli: Cli, places: Places): Promise<string | null> {
  const now = places.root === "" ? await statusOf(cli) : null;
  const name = now?.node?.name;
  const running = now?.resources.filter(({ node }) => node === name) ?? [];
  if (running.length > 0) return `it runs ${running.map(({ id }) => id).join(", ")}`;
  if (now?.cluster) return `it is a member of "${now.cluster.name}"`;
  // The daemon may not run; its identity is there all the same.
  const identity = `${places.state}/node.json`;
  return linkAt(identity) === null ? null : `"${identity}" says that it is one`;
}

function ownFile({ wiring }: Cli): string {
  if (wiring.file !== null) return wiring.file;
  throw new ProblemError("install.no-file", "this pentad runs from its source");
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
