/**
 * Manual pages made from the command tree, in the macros of man(7): one for the program, one for each
 * command that has commands of its own. Pure.
 *
 * @module
 */
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { EXIT, EXIT_MEANINGS } from "../base/exit.ts";
import { settingsPage, type SettingsSchema } from "./man_settings.ts";
import { bold, ELLIPSIS, escape, listText, type ManPage, page, refer, section } from "./troff.ts";

const SECTION = 8;

const FILES: readonly (readonly [string, string])[] = [
  ["/etc/pentad/settings.json", "what this node must know before it has a cluster"],
  ["/etc/pve", "the replicated configuration, mounted"],
  ["/var/lib/pentad", "the node's identity, keys and database; private"],
  ["/run/pentad/api.sock", "the daemon's API"],
  ["/opt/pentad", "versions of the program; /usr/local/bin/pentad leads to the one in use"],
];

const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ["PENTAD_SOCKET", "the daemon's socket, where --socket is not given"],
  ["PENTAD_API", "the daemon over TCP, where --api is not given"],
  ["PENTAD_TOKEN", "the token that goes with it"],
  ["NO_COLOR", "if it is not empty, no colour"],
];

/** All pages of a program of this version, and the one of its settings file. */
export function manPages(
  program: CommandUnknownOpts,
  settings: SettingsSchema,
  version: string,
): readonly ManPage[] {
  const head = (command: CommandUnknownOpts, name: string) => ({
    ...{ name, section: SECTION, version },
    description: command.description(),
  });
  const about = settingsPage(settings, version);
  const nouns = program.commands.filter(({ commands }) => commands.length > 0);
  const plain = program.commands.filter(({ commands }) => commands.length === 0);
  const names = nouns.map((noun) => `${program.name()}-${noun.name()}`);
  const own = `${bold(program.name())}(${SECTION})`;
  const see = [...names.map((name) => `${bold(name)}(${SECTION})`), refer(about)];
  return [
    page(head(program, program.name()), [
      section(
        "SYNOPSIS",
        `${bold(program.name())} [\\fIoptions\\fR] \\fIcommand\\fR ${ELLIPSIS}\n`,
      ),
      section("OPTIONS", optionsOf(program)),
      section("COMMANDS", plain.map((each) => commandText(each, program.name())).join("")),
      section("EXIT STATUS", exitText()),
      section("FILES", listText(FILES)),
      section("ENVIRONMENT", listText(ENVIRONMENT)),
      section("SEE ALSO", `${see.join(",\n")}\n`),
    ]),
    ...nouns.map((noun) =>
      page(head(noun, `${program.name()}-${noun.name()}`), [
        section("SYNOPSIS", synopsisOf(noun, program.name())),
        ...(noun.options.length > 0 ? [section("OPTIONS", optionsOf(noun))] : []),
        section("COMMANDS", leavesOf(noun, `${program.name()} ${noun.name()}`)),
        section("SEE ALSO", `${own}\n`),
      ])
    ),
    about,
  ];
}

/** Every command below one, however deep; those that only hold others are not told of. */
function leavesOf(command: CommandUnknownOpts, chain: string): string {
  return command.commands.map((each) =>
    each.commands.length === 0
      ? commandText(each, chain)
      : leavesOf(each, `${chain} ${each.name()}`)
  ).join("");
}

function commandText(command: CommandUnknownOpts, chain: string): string {
  const also = command.aliases().length > 0 ? ` Also ${command.aliases().join(", ")}.` : "";
  const head = `.SS ${usageOf(command, chain)}\n${
    escape(sentence(command.description()))
  }${also}\n`;
  const given = command.registeredArguments.filter(({ description }) => description !== "")
    .map((each) => [each.name(), each.description + choices(each.argChoices)] as const);
  return head + listText(given) + optionsOf(command);
}

/** Of a command that does something itself too, both ways. */
function synopsisOf(command: CommandUnknownOpts, chain: string): string {
  const below = `${bold(`${chain} ${command.name()}`)} \\fIcommand\\fR ${ELLIPSIS}\n`;
  const own = command.registeredArguments.length > 0 || command.options.length > 0;
  return own ? `${usageOf(command, chain)}\n.br\n${below}` : below;
}

function usageOf(command: CommandUnknownOpts, chain: string): string {
  const given = command.registeredArguments.map((each) => {
    const name = each.variadic ? `${each.name()}…` : each.name();
    return each.required ? `\\fI${escape(name)}\\fR` : `[\\fI${escape(name)}\\fR]`;
  });
  const options = command.options.length > 0 ? ["[\\fIoptions\\fR]"] : [];
  return [bold(`${chain} ${command.name()}`), ...options, ...given].join(" ");
}

function optionsOf({ options }: CommandUnknownOpts): string {
  return options.filter(({ hidden }) => !hidden).map((option) => {
    const preset = option.defaultValue;
    const shown = preset === undefined || preset === "" || preset === false
      ? ""
      : ` (default: ${String(preset)})`;
    const text = option.description + choices(option.argChoices) + shown;
    return `.TP\n${bold(option.flags)}\n${escape(text)}\n`;
  }).join("");
}

function choices(words: readonly string[] | undefined): string {
  return words === undefined ? "" : `: ${words.join(", ")}`;
}

function exitText(): string {
  return Object.entries(EXIT).map(([name, code]) =>
    `.TP\n.B ${code}\n${escape(EXIT_MEANINGS[name as keyof typeof EXIT])}\n`
  ).join("");
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
