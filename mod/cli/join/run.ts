/** Runs the steps of a join over SSH, lists them, or takes them back. @module */
import { EXIT, ProblemError } from "../../base/problem.ts";
import { ownAddresses, undoFindings } from "../../join/mod.ts";
import type { Cli } from "../cli.ts";
import { putBack, retiredOf } from "./own_files.ts";
import { unlinkTree } from "./own_keys.ts";
import { patiently } from "./patience.ts";
import { STEPS } from "./steps.ts";
import { type JoinOrder, JoinWork } from "./work.ts";

interface Done {
  readonly step: string;
  readonly note: string;
}

/** Joins, or with `dryRun` looks how far it would come and lists what would be changed. */
export async function joinOverSsh(cli: Cli, order: JoinOrder, dryRun: boolean): Promise<void> {
  await withWork(cli, order, async (work) => {
    const done: Done[] = [];
    let changes = false;
    for (const [at, step] of STEPS.entries()) {
      // What comes after a change cannot be looked at before it.
      changes ||= step.changes;
      const note = dryRun && changes ? `would ${step.does}` : await step.run(work);
      done.push({ step: step.name, note });
      cli.print.note(`[${at + 1}/${STEPS.length}] ${step.name}: ${note}`);
    }
    if (dryRun) cli.exit = EXIT.changes;
    if (cli.print.format === "json") {
      return cli.print.json({ schema: "pentad.join/1", dry_run: dryRun, steps: done });
    }
    cli.print.note(dryRun ? "nothing was changed" : "next: pentad status");
  });
}

/** Takes a join back: leaves the cluster, and has it forget this machine's keys. */
export async function undoJoin(cli: Cli, order: JoinOrder): Promise<void> {
  await withWork(cli, order, async (work) => {
    for (const name of ["programs", "host-key", "login"]) {
      await STEPS.find((step) => step.name === name)?.run(work);
    }
    await work.look();
    const { here, there } = work;
    const [first] = undoFindings(here, there);
    if (first !== undefined) throw new ProblemError(first.code, first.why);
    if (here.cluster !== null) {
      const ask = { json: {}, limitMs: cli.waitMs };
      await patiently(cli, () => cli.client.change("POST", "/v1/leave", ask));
      cli.print.note("left the cluster");
    }
    const forget = ["join", "distrust", here.node, ...ownAddresses(here)];
    await patiently(cli, () => work.far(forget));
    if (here.mount !== null) {
      unlinkTree(cli.home, here.mount);
      putBack(here.mount);
      const retired = retiredOf(here.mount);
      if (retired !== null) {
        // It may run elsewhere by now: only a person can say what of it is this machine's again.
        cli.print.note(`what it had before a join is in the cluster's tree, and in "${retired}"`);
      }
    }
    cli.print.note(`"${there.node}" forgot the keys of ${here.node}`);
    if (cli.print.format === "json") cli.print.json({ schema: "pentad.done/1", done: true });
  });
}

async function withWork(
  cli: Cli,
  order: JoinOrder,
  body: (work: JoinWork) => Promise<void>,
): Promise<void> {
  const work = new JoinWork(cli, order);
  try {
    await body(work);
  } finally {
    await work.close();
  }
}
