/** An upgrade on the root file system, in a mount namespace whose service manager is a stand-in. */
import assert from "node:assert/strict";
import { FORMATS } from "../../mod/base/formats.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
const DENO = `${Deno.execPath()} run -A --quiet --no-check ${MAIN}`;
const skip = Deno.uid() !== 0;
if (skip) console.log("skipped  upgrades on the root file system: not root");

/** Folders that the namespace has for itself, so that nothing of this host is touched. */
const OWN = [
  ...["/run", "/opt", "/usr/local/bin", "/etc/systemd", "/etc/pentad", "/var/lib/pentad"],
  ...["/usr/share/bash-completion", "/usr/local/share"],
];

function program(version: string): string {
  const said = JSON.stringify({ schema: "pentad.version/1", version, formats: FORMATS });
  return `#!/bin/sh\necho '${said}'\n`;
}

/** Runs shell commands with a root file system and a service manager of their own. */
async function onRoot(
  folder: string,
  manager: string,
  commands: readonly string[],
): Promise<{ readonly code: number; readonly said: string; readonly complaint: string }> {
  Deno.mkdirSync(`${folder}/bin`);
  Deno.writeTextFileSync(`${folder}/bin/systemctl`, manager, { mode: 0o755 });
  const script = [
    // A mount point must be there; one that is made for this is removed again.
    ...OWN.map((path) => `mount -t tmpfs tmpfs ${path}`),
    "mkdir -p /run/systemd/system",
    ...commands,
  ].join(" && ");
  const made = OWN.filter((path) => make(path));
  const { stdout, stderr, code } = await new Deno.Command("unshare", {
    args: ["--mount", "--propagation", "private", "sh", "-c", script],
    env: { PATH: `${folder}/bin:/usr/bin:/bin:/usr/sbin:/sbin`, NO_COLOR: "1" },
    stdin: "null",
  }).output();
  for (const path of made.reverse()) Deno.removeSync(path);
  const [said = "", complaint = ""] = [stdout, stderr].map((bytes) =>
    new TextDecoder().decode(bytes).trim()
  );
  return { code, said, complaint };
}

// Whether the new version begins and is not well, or does not even begin.
for (const ends of [0, 1]) {
  Deno.test({
    name: `an upgrade that does not come back is taken back; its restart ended with ${ends}`,
    ignore: skip,
    fn: async () => {
      const folder = Deno.makeTempDirSync({ prefix: "pentad-install-" });
      try {
        for (const version of ["1.0.0", "1.1.0"]) {
          Deno.writeTextFileSync(`${folder}/${version}`, program(version), { mode: 0o755 });
        }
        const log = `${folder}/log`;
        const manager = `#!/bin/sh\necho "$@" >> ${log}\n[ "$1" != restart ] || exit ${ends}\n`;
        const { code, said, complaint } = await onRoot(folder, manager, [
          "mkdir -p /opt/pentad/1.0.0",
          `cp ${folder}/1.0.0 /opt/pentad/1.0.0/pentad`,
          "ln -s /opt/pentad/1.0.0/pentad /usr/local/bin/pentad",
          `if ${DENO} --wait 1 upgrade ${folder}/1.1.0; then exit 9; fi`,
          "readlink /usr/local/bin/pentad",
          "ls /opt/pentad",
        ]);
        assert.equal(code, 0, complaint);
        // Nothing is announced any more.
        const versions = ["1.0.0", "1.1.0", "previous"];
        assert.deepEqual(said.split("\n"), ["/opt/pentad/1.0.0/pentad", ...versions]);
        assert.ok(complaint.includes("install.unhealthy"), complaint);
        const asked = Deno.readTextFileSync(log).trim().split("\n");
        assert.deepEqual(asked.filter((line) => line.startsWith("restart")), [
          "restart pentad.service",
          "restart pentad.service",
        ]);
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
}

Deno.test({
  name: "install says where systemd does not start what it put in place",
  ignore: skip,
  fn: async () => {
    const folder = Deno.makeTempDirSync({ prefix: "pentad-install-" });
    try {
      Deno.writeTextFileSync(`${folder}/pentad`, program("1.0.0"), { mode: 0o755 });
      const manager = "#!/bin/sh\n[ $1 != enable ] || { echo no such luck >&2; exit 1; }\n";
      const { code, said, complaint } = await onRoot(folder, manager, [
        `export PENTAD_FILE=${folder}/pentad`,
        `if ${DENO} install --name nodeA --address 192.0.2.1 >/dev/null; then exit 9; fi`,
        "readlink /usr/local/bin/pentad",
      ]);
      assert.equal(code, 0, complaint);
      assert.equal(said, "/opt/pentad/1.0.0/pentad");
      assert.match(complaint, /systemctl enable --now: no such luck/);
      assert.ok(complaint.includes(`code   ${"install.not-started"}`), complaint);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

/** True where the folder was not there before. */
function make(path: string): boolean {
  try {
    Deno.mkdirSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  }
}
