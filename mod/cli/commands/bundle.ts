/** `pentad bundle`: what a helper needs to see, in one file, and no secret. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import manifest from "../../../deno.json" with { type: "json" };
import { encodeText } from "../../base/bytes.ts";
import { EXIT, ProblemError } from "../../base/problem.ts";
import { hostName } from "../../host/linux/host_facts.ts";
import { partsOf, secretsHere } from "../bundle/parts.ts";
import { scrub } from "../bundle/scrub.ts";
import { tar, type TarFile } from "../bundle/tar.ts";
import type { Cli } from "../cli.ts";
import { settingsOption } from "../settings_file.ts";

/** A part of the archive, or why it is not in it. */
interface Collected {
  readonly name: string;
  readonly bytes: number | null;
  readonly why: string | null;
}

const NOTE = `Made by pentad bundle, for somebody who is to help.

It holds: versions, settings, what pentad check finds, the daemon's status, members, links, disks,
resources and events, the heads of the configuration's history (who, when, why, which paths), and
the logs of the daemon and the kernel.

It does not hold: keys of any kind, tickets, the API's token, the database, the content of any file
of the replicated tree, and what resources printed (but the last line of one that failed). Host names,
addresses and paths are in it.
`;

export function bundleCommand(cli: Cli): CommandUnknownOpts {
  return new Command("bundle")
    .description("put what a helper needs into one file, without secrets")
    .option("-w, --write <file>", "the archive (.tar.gz); - for standard output")
    .addOption(settingsOption())
    .action(async ({ write, settings }) => {
      const now = new Date();
      const { version } = manifest;
      const ask = { version, settings };
      const secrets = await secretsHere(cli, ask);
      const name = `pentad-bundle-${hostName()}-${stamp(now)}`;
      const { files, parts } = await collect(cli, ask, secrets);
      const inside = files.map(({ path, data }) => ({ path: `${name}/${path}`, data }));
      const archive = await gzip(tar(inside, Math.floor(now.getTime() / 1000)));
      const file = write ?? `${name}.tar.gz`;
      if (file === "-") cli.io.out(archive);
      else save(file, archive);
      const lost = parts.filter(({ why }) => why !== null);
      if (lost.length > 0) cli.exit = EXIT.degraded;
      if (cli.print.format === "json" && file !== "-") {
        const schema = "pentad.bundle/1";
        return cli.print.json({ schema, file, bytes: archive.length, parts });
      }
      for (const { name, why } of lost) cli.print.note(`without ${name}: ${why}`);
      if (file !== "-") cli.print.line(file);
      cli.print.note("it holds host names and addresses; look through it before you pass it on");
    });
}

async function collect(
  cli: Cli,
  ask: { readonly version: string; readonly settings: string },
  secrets: readonly string[],
): Promise<{ readonly files: readonly TarFile[]; readonly parts: readonly Collected[] }> {
  const files: TarFile[] = [{ path: "README.txt", data: encodeText(NOTE) }];
  const parts: Collected[] = [];
  for (const { name, make } of partsOf(cli, ask)) {
    try {
      const data = encodeText(scrub(await make(), secrets));
      files.push({ path: name, data });
      parts.push({ name, bytes: data.length, why: null });
    } catch (error) {
      const message = error instanceof ProblemError
        ? error.problem.why
        : error instanceof Error
        ? error.message
        : String(error);
      parts.push({ name, bytes: null, why: scrub(message, secrets) });
    }
  }
  const list = `${JSON.stringify({ schema: "pentad.bundle/1", parts }, null, 2)}\n`;
  files.push({ path: "parts.json", data: encodeText(list) });
  return { files, parts };
}

/** Private, and never over something that is there. */
function save(file: string, archive: Uint8Array): void {
  try {
    using opened = Deno.openSync(file, { createNew: true, write: true, mode: 0o600 });
    for (let at = 0; at < archive.length;) at += opened.writeSync(archive.subarray(at));
    opened.syncSync();
  } catch (error) {
    const there = error instanceof Deno.errors.AlreadyExists;
    const why = there ? "is there already" : error instanceof Error ? error.message : String(error);
    throw new ProblemError("cli.output", `"${file}": ${why}`, { cause: error });
  }
}

async function gzip(bytes: Uint8Array): Promise<Uint8Array> {
  const packed = new Blob([new Uint8Array(bytes)]).stream().pipeThrough(
    new CompressionStream("gzip"),
  );
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

/** `20261122T090400Z`: no colon, which some file systems refuse. */
function stamp(at: Date): string {
  return at.toISOString().replace(/[-:]|\.\d+/g, "");
}
