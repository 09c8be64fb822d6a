/** A process that must not leave what it knows in a core dump, and one of its children that may. */
import assert from "node:assert/strict";

const MODULE = new URL("../../mod/host/ffi/core_dump.ts", import.meta.url).href;

/** Why this host cannot show it; null: it can. */
function missing(): string | null {
  const pattern = Deno.readTextFileSync("/proc/sys/kernel/core_pattern").trim();
  if (/^[|/]/.test(pattern)) return `core dumps go to "${pattern}"`;
  const { stdout } = new Deno.Command("sh", { args: ["-c", "ulimit -Hc"] }).outputSync();
  return new TextDecoder().decode(stdout).trim() === "0" ? "core dumps are forbidden" : null;
}

const why = missing();
if (why !== null) console.log(`skipped  core dumps: ${why}`);

/** Files that a program leaves in an empty folder when it ends by a signal that dumps. */
async function leftBy(program: string): Promise<string[]> {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-core-" });
  try {
    const script = `ulimit -c 64; cd "${folder}" && exec "${Deno.execPath()}" eval --no-check "$0"`;
    const { signal, stderr } = await new Deno.Command("sh", { args: ["-c", script, program] })
      .output();
    assert.equal(signal, "SIGQUIT", new TextDecoder().decode(stderr));
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const END = 'Deno.kill(Deno.pid, "SIGQUIT"); await new Promise(() => setInterval(() => {}, 1000));';
const ONCE = `import { leaveNoCore } from "${MODULE}"; if (!leaveNoCore()) Deno.exit(1);`;

Deno.test("leaveNoCore() keeps this process out of core dumps, and no child of it", {
  ignore: why !== null,
}, async () => {
  const [core, ...more] = await leftBy(END);
  assert.match(core ?? "", /^core/, "without it there is one");
  assert.deepEqual(more, []);
  assert.deepEqual(await leftBy(`${ONCE} ${END}`), []);
  const child = `await new Deno.Command("sh", { args: ["-c", "kill -QUIT $$"] }).output();`;
  assert.equal((await leftBy(`${ONCE} ${child} ${END}`)).length, 1, "the child's");
});
