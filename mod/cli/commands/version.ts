/** `pentad version`. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import manifest from "../../../deno.json" with { type: "json" };
import { FORMATS } from "../../base/formats.ts";
import type { Cli } from "../cli.ts";

export function versionCommand(cli: Cli): CommandUnknownOpts {
  return new Command("version").description("say which pentad this is").action(() => {
    const { version } = manifest;
    const { os, arch } = Deno.build;
    const deno = Deno.version.deno;
    if (cli.print.format !== "json") {
      cli.print.line(`pentad ${version} (deno ${deno}, ${os} ${arch})`);
    } else {cli.print.json({
        schema: "pentad.version/1",
        version,
        deno,
        os,
        arch,
        formats: FORMATS,
      });}
  });
}
