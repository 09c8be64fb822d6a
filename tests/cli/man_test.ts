/** The manual: of every command and option, as troff takes it, and as `pentad man` prints it. */
import assert from "node:assert/strict";
import { EXIT } from "../../mod/base/exit.ts";
import { parseSettings, settingsSchema } from "../../mod/base/settings.ts";
import { type Io, realIo } from "../../mod/cli/io.ts";
import { Cli } from "../../mod/cli/cli.ts";
import { allPages } from "../../mod/cli/commands/man.ts";
import { SETTINGS_EXAMPLE, settingsPage } from "../../mod/cli/man_settings.ts";
import { escape } from "../../mod/cli/troff.ts";
import { buildProgram } from "../../mod/cli/program.ts";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { cli } from "./world.ts";

function program(): CommandUnknownOpts {
  const refuse = () => Promise.reject(new Error("Nothing runs here"));
  const io: Io = realIo();
  return buildProgram(
    new Cli(io, {
      ...{ daemon: refuse, diskWorker: refuse, keeper: refuse, disks: refuse, offline: refuse },
      file: null,
    }),
  );
}

/** Every command that does something, with its words. */
function leaves(command: CommandUnknownOpts, chain = ""): [string, CommandUnknownOpts][] {
  const here = `${chain} ${command.name()}`.trim();
  const own = command.commands.length === 0
    ? [[here, command] as [string, CommandUnknownOpts]]
    : [];
  return [...own, ...command.commands.flatMap((each) => leaves(each, here))];
}

function plain(text: string): string {
  return text.replaceAll("\\-", "-").replaceAll("\\(aq", "'").replace(/\\f[BIR]/g, "");
}

Deno.test("every command, argument and option is explained, in help and in the manual", async () => {
  const whole = plain((await allPages(program())).map(({ text }) => text).join("\n"));
  const all = leaves(program());
  assert.ok(all.length > 50, `${all.length}`);
  for (const [chain, command] of all) {
    assert.ok(command.description().length > 5, chain);
    assert.ok(whole.includes(`.SS ${chain}`), chain);
    for (const { flags, description } of command.options) {
      assert.ok(description.length > 3, `${chain} ${flags}`);
      assert.ok(whole.includes(`${flags}\n`), `${chain} ${flags}`);
    }
  }
  for (const code of Object.values(EXIT)) assert.ok(whole.includes(`.B ${code}\n`), `${code}`);
});

Deno.test("the page of the settings file has every key, and an example that is one", () => {
  const { text } = settingsPage(settingsSchema(), "1.0.0");
  const keys = [...plain(text).matchAll(/^\.TP\n(.*)\n/gm)].map(([, key]) => key);
  const all = parseSettings(SETTINGS_EXAMPLE, "example");
  for (const key of Object.keys(all)) assert.ok(keys.includes(key), key);
  for (const key of ["bind.links", "api.token", "history.days", "backup.when"]) {
    assert.ok(keys.includes(key), key);
  }
  assert.equal(all.name, "nodeA");
  for (const bound of ["from 32 to 4096; default 256", "Text of 16 to 256 characters; required"]) {
    assert.ok(text.includes(bound), bound);
  }
});

Deno.test("what is no ASCII, or an instruction of troff, is text", () => {
  assert.equal(escape("…\n.so\n'x\\ é-"), "\\&...\n\\&.so\n\\&\\(aqx\\e \\[u00E9]\\-");
});

/** A formatter of this host, and what of it is missing here. */
async function has(program: string): Promise<boolean> {
  const asked = new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" });
  const there = await asked.output().then(({ success }) => success, () => false);
  if (!there) console.log(`skipped  pages through ${program}: this host has none`);
  return there;
}

const FORMATTERS: readonly (readonly [string, readonly string[]])[] = [
  ["groff", ["-man", "-Tutf8", "-ww"]],
  ["groff", ["-man", "-Tascii", "-ww"]],
  ["man", ["--warnings", "-l", "-"]],
];

for (const [formatter, args] of FORMATTERS) {
  const ignore = !await has(formatter);
  Deno.test(`${formatter} ${args.join(" ")} has nothing to say against any page`, {
    ignore,
  }, async () => {
    for (const { name, text } of await allPages(program())) {
      const child = new Deno.Command(formatter, {
        args: [...args],
        ...{ stdin: "piped", stdout: "piped", stderr: "piped" } as const,
      }).spawn();
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(text));
      await writer.close();
      const { success, stdout, stderr } = await child.output();
      assert.ok(success, name);
      assert.equal(new TextDecoder().decode(stderr), "", name);
      assert.ok(stdout.length > 300, name);
    }
  });
}

Deno.test("man prints a page, lists them, and names what there is none of", async () => {
  const { out } = await cli(["man"]);
  assert.match(out, /^\.\\" Made by pentad .*\n\.TH PENTAD 8/);
  assert.match((await cli(["man", "ha"])).out, /\.TH PENTAD\\-HA 8/);
  assert.match(
    (await cli(["man", "--list"])).out,
    /^pentad\.8\n(pentad-[a-z]+\.8\n)+pentad-settings\.5\n$/,
  );
  const { schema, pages } = JSON.parse((await cli(["man", "--json"])).out);
  assert.deepEqual([schema, pages[0]], ["pentad.man/1", "pentad.8"]);
  assert.equal((await cli(["man", "status"])).code, 2);
});
