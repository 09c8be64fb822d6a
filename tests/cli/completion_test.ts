/** What each shell offers after some words: the script that it reads, in the shell itself. */
import assert from "node:assert/strict";
import { cli } from "./world.ts";

interface Shell {
  readonly name: string;
  readonly options: readonly string[];
  /** Prints what `script` offers after these words, the last one unfinished. */
  readonly asks: (script: string, words: readonly string[]) => string;
}

function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(" ");
}

const SHELLS: readonly Shell[] = [
  {
    name: "bash",
    options: ["--norc"],
    asks: (script, words) =>
      `${script}
COMP_WORDS=(pentad ${quoted(words)}); COMP_CWORD=${words.length}; _pentad
printf '%s\\n' "\${COMPREPLY[@]}"`,
  },
  {
    // As zsh loads it from its search path; compadd is what picks the words that fit.
    name: "zsh",
    options: ["-f"],
    asks: (script, words) =>
      `folder=$(mktemp -d); cat > "$folder/_pentad" <<'END'
${script}
END
fpath=("$folder" $fpath); autoload -Uz _pentad
compadd() { shift; print -l -- \${(M)@:#\${words[CURRENT]}*} }
words=(pentad ${quoted(words)}); CURRENT=${words.length + 1}
_pentad; rm -r "$folder"`,
  },
  {
    name: "fish",
    options: ["--no-config"],
    asks: (script, words) => `${script}\ncomplete -C 'pentad ${words.join(" ")}'`,
  },
];

async function said(shell: Shell, text: string): Promise<string | null> {
  try {
    const command = new Deno.Command(shell.name, { args: [...shell.options, "-c", text] });
    const { success, stdout, stderr } = await command.output();
    const decoder = new TextDecoder();
    assert.ok(success, decoder.decode(stderr));
    assert.equal(decoder.decode(stderr), "");
    return decoder.decode(stdout);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

for (const shell of SHELLS) {
  const ignore = await said(shell, "true") === null;
  if (ignore) console.log(`skipped  completion in ${shell.name}: this host has none`);
  Deno.test(`${shell.name} offers what fits the words before`, { ignore }, async () => {
    const { out: script } = await cli(["completion", shell.name]);
    const offers = async (...words: string[]) => {
      const list = await said(shell, shell.asks(script, words));
      return (list ?? "").trim().split("\n").sort();
    };
    assert.deepEqual(await offers("sta"), ["status"]);
    assert.deepEqual(await offers("ha", "mi"), ["migrate"]);
    assert.deepEqual(await offers("--json", "config", "h"), ["history"]);
    assert.deepEqual(await offers("ha", "add", "--comm"), ["--command", "--comment"]);
  });
}
