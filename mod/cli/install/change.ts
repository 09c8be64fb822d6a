/**
 * Which version is in use, and how that changes: a link, and a second one to the version before.
 *
 * A change may be cut off at any point and is finished by repeating it. It is announced first, by a
 * link to the version that was in use; then the program's link changes, then the one to the version
 * before, then the daemon restarts, and at last the announcement goes. So what is found tells how far
 * it came: where the program's link still leads to what the announcement names, nothing has changed.
 *
 * @module
 */
import { ProblemError } from "../../base/problem.ts";
import { syncDirectory } from "../../host/linux/durable_file.ts";
import { linkAt } from "../../host/linux/files.ts";
import { systemctl, systemdRuns } from "../../host/linux/systemd.ts";
import type { StatusDocument } from "../../node/view.ts";
import type { Cli } from "../cli.ts";
import { asRoot } from "./as_root.ts";
import { announcements, type Places } from "./places.ts";
import { isOwnPlace, linkItem, refuseForeign, remove } from "./plan.ts";

const LOOK_MS = 250;

/** The two ways to another version. */
export type Verb = keyof ReturnType<typeof announcements>;

/** A change that was cut off. */
export interface CutOff {
  readonly verb: Verb;
  /** What was in use before it. */
  readonly from: string;
  /** The program's link leads elsewhere already. */
  readonly done: boolean;
}

/** What was cut off, if anything, with its links put right. */
export function settle(places: Places): CutOff | null {
  const announced = announcements(places);
  const found = (["rollback", "upgrade"] as const).flatMap((verb): CutOff[] => {
    const from = isOwnPlace(places, announced[verb]) ? linkAt(announced[verb]) : null;
    return from === null ? [] : [{ verb, from, done: linkAt(places.program) !== from }];
  });
  // An upgrade that is taken back has both: the way back counts from where it has changed anything.
  const cut = found.find(({ done }) => done) ?? found.at(-1) ?? null;
  if (cut?.done && linkAt(places.previous) !== cut.from) {
    asRoot(() => linkItem(places, places.previous, cut.from).make());
  }
  return cut;
}

/** Nothing is under way any more. */
export function clear(places: Places): void {
  const paths = Object.values(announcements(places)).filter((path) => linkAt(path) !== null);
  if (paths.length === 0) return;
  asRoot(() => {
    paths.forEach(remove);
    syncDirectory(places.versions);
  });
}

/**
 * The links change to `target`, the daemon restarts, and all of that goes back if it is not well.
 * With `cut` it is what that change began.
 */
export async function change(
  cli: Cli,
  places: Places,
  how: { readonly verb: Verb; readonly target: string; readonly cut: CutOff | null },
): Promise<void> {
  const { verb, target, cut } = how;
  const before = linkAt(places.program);
  if (before === target && cut?.done !== true) {
    clear(places);
    return cli.print.note("that version is in use already");
  }
  refuseForeign(
    [places.program, places.previous].map((path) => linkItem(places, path, target)),
  );
  const wasQuorate = (await statusOf(cli))?.quorate ?? false;
  if (before !== target) asRoot(() => move(places, verb, target));
  if (await serve(places, "restart") === "none") {
    clear(places);
    return cli.print.note(
      "no systemd here: the daemon goes on with its old version until restarted",
    );
  }
  const back = before === target ? cut?.from ?? null : before;
  // One that systemd could not restart is tried again by it, so the node itself is asked.
  if (back === null || await isBack(cli, wasQuorate)) return clear(places);
  asRoot(() => move(places, "rollback", back));
  await serve(places, "restart");
  clear(places);
  const why = `no answer of a healthy node within ${cli.waitMs / 1000} s`;
  throw new ProblemError("install.unhealthy", why);
}

function move(places: Places, verb: Verb, target: string): void {
  const before = linkAt(places.program);
  if (before !== null) linkItem(places, announcements(places)[verb], before).make();
  linkItem(places, places.program, target).make();
  if (before !== null) linkItem(places, places.previous, before).make();
}

async function isBack(cli: Cli, wasQuorate: boolean): Promise<boolean> {
  const end = performance.now() + cli.waitMs;
  while (performance.now() < end) {
    const now = await statusOf(cli);
    const begun = now !== null && (now.cluster === null || (now.node?.boot ?? "") !== "");
    if (begun && (now.quorate || !wasQuorate)) return true;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return false;
}

/** What the daemon says, or null where none answers. */
export async function statusOf(cli: Cli): Promise<StatusDocument | null> {
  try {
    return await cli.client.get<StatusDocument>("/v1/status");
  } catch (error) {
    if (error instanceof ProblemError) return null;
    throw error;
  }
}

/** `none`: there is no systemd, or what it would be told is not this host's own. */
export type Served = "done" | "none" | { readonly failure: string };

/** Tells systemd. */
export async function serve(places: Places, ...words: readonly string[]): Promise<Served> {
  if (places.root !== "" || !systemdRuns()) return "none";
  await systemctl("daemon-reload");
  if (words.length === 0) return "done";
  const { success, said } = await systemctl(...words, "pentad.service");
  return success ? "done" : { failure: said };
}
