/** OCF agents: Debian's own, as they are, and some that do everything wrong. */
import assert from "node:assert/strict";
import { type ResourceId, resourceId } from "../../mod/base/id.ts";
import { boottime } from "../../mod/host/ffi/pidfd.ts";
import { pause } from "../../mod/host/linux/process_hunt.ts";
import type { OcfAction } from "../../mod/ha/agents/action.ts";
import { Namespaces, namespacesMissing } from "../../scripts/namespaces.ts";
import { AgentNode, must } from "./agent_world.ts";
import { commands } from "./process_world.ts";
import { isAlive } from "../../mod/host/linux/proc.ts";

const ROOT = "/usr/lib/ocf";
const ID = resourceId("ocf:r");

function agent(type: string, parameters: Record<string, string> = {}, provider = "heartbeat") {
  return { kind: "ocf", provider, type, parameters, checkLevel: 0 } as const satisfies OcfAction;
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function missing(type: string, ...programs: string[]): string | null {
  if (Deno.uid() !== 0) return "not root";
  if (!exists(`${ROOT}/resource.d/heartbeat/${type}`)) return `no ocf:heartbeat:${type}`;
  const absent = programs.find((program) =>
    !["/usr/sbin", "/usr/bin", "/sbin", "/bin"].some((folder) => exists(`${folder}/${program}`))
  );
  return absent === undefined ? null : `no ${absent}`;
}

/** A test with Debian's own agent of this type. */
function debian(
  type: string,
  lack: string | null,
  body: (node: AgentNode) => Promise<void>,
): void {
  if (lack !== null) console.log(`skipped: ocf:heartbeat:${type}: ${lack}`);
  Deno.test({
    name: `ocf:heartbeat:${type} runs unmodified`,
    ignore: lack !== null,
    fn: () => withNode(new AgentNode(), body),
  });
}

async function withNode(node: AgentNode, body: (node: AgentNode) => Promise<void>): Promise<void> {
  try {
    await body(node.boot());
  } finally {
    await node.close();
  }
}

/** Started, watched, started once more, stopped twice. */
async function wholeLife(node: AgentNode, id: ResourceId, action: OcfAction): Promise<void> {
  assert.equal((await node.start(id, action)).failure, null);
  assert.deepEqual(await node.health(id, action), { state: "running" });
  assert.deepEqual(await node.list(), [id]);
  assert.equal((await node.stop(id)).failure, null);
  assert.deepEqual(await node.health(id, action), { state: "stopped" });
  assert.equal((await node.stop(id)).failure, null);
  assert.deepEqual(await node.list(), []);
}

debian("Dummy", missing("Dummy"), async (node) => {
  const state = `${node.folder}/dummy.state`;
  const action = agent("Dummy", { state });
  await wholeLife(node, ID, action);
  assert.equal((await node.start(ID, action)).failure, null);
  Deno.removeSync(state);
  assert.deepEqual(await node.health(ID, action), { state: "stopped" });
  assert.match(
    (await node.start(resourceId("ocf:x"), agent("Dummy", { stat: "x" }))).failure ?? "",
    /no parameter "stat"; "state" was meant\?/,
  );
});

debian("Filesystem", missing("Filesystem", "losetup", "mkfs.ext4"), async (node) => {
  const [image, directory] = [`${node.folder}/image`, `${node.folder}/mnt`];
  Deno.mkdirSync(directory);
  Deno.writeFileSync(image, new Uint8Array(8 * 1024 * 1024));
  await must("mkfs.ext4", "-q", image);
  const device = (await must("losetup", "--find", "--show", image)).trim();
  const mounted = () => Deno.readTextFileSync("/proc/self/mounts").includes(` ${directory} `);
  try {
    const action = agent("Filesystem", { device, directory, fstype: "ext4" });
    await wholeLife(node, ID, action);
    assert.equal((await node.start(ID, action)).failure, null);
    assert.ok(mounted());
    Deno.writeTextFileSync(`${directory}/file`, "kept");
    // A daemon that hangs: the keeper unmounts.
    await node.guard(boottime() + 300);
    await node.list();
    node.signal("SIGSTOP");
    while (mounted() || node.held().length > 0) await pause(20);
    node.signal("SIGCONT");
  } finally {
    if (mounted()) await must("umount", directory);
    await must("losetup", "--detach", device);
  }
});

debian("nginx", missing("nginx", "nginx"), async (node) => {
  const config = `${node.folder}/nginx.conf`;
  Deno.writeTextFileSync(
    config,
    `pid ${node.folder}/nginx.pid; error_log ${node.folder}/error.log;
     events {} http { access_log off; server { listen 127.0.0.1:18180; return 200 "pentad\\n"; } }`,
  );
  const action = agent("nginx", { configfile: config, port: "18180" });
  await wholeLife(node, ID, action);
  assert.equal((await node.start(ID, action)).failure, null);
  assert.equal(await (await fetch("http://127.0.0.1:18180/")).text(), "pentad\n");
  const workers = await commands(config, 1);
  // Its daemon belongs to the resource: a kill of everything ends it.
  assert.equal((await node.killAll()).failure, null);
  for (const each of workers) assert.equal(isAlive(each), false);
});

const NO_NAMESPACE = await namespacesMissing();
const NO_IPADDR2 = missing("IPaddr2", "ip") ?? NO_NAMESPACE;
if (NO_IPADDR2 !== null) console.log(`skipped: ocf:heartbeat:IPaddr2: ${NO_IPADDR2}`);
Deno.test({
  name: "ocf:heartbeat:IPaddr2 runs unmodified, and its address goes with the guard",
  ignore: NO_IPADDR2 !== null,
  fn: async () => {
    const network = await Namespaces.make(1);
    try {
      await withNode(new AgentNode(network.prefix(0)), async (node) => {
        const ip = network.address(90);
        const action = agent("IPaddr2", { ip, cidr_netmask: "24", nic: "eth0" });
        const has = async () =>
          (await must(...network.prefix(0), "ip", "address", "show", "eth0")).includes(` ${ip}/`);
        await wholeLife(node, ID, action);
        assert.equal((await node.start(ID, action)).failure, null);
        assert.ok(await has());
        await node.guard(boottime() + 300);
        await node.list();
        node.signal("SIGSTOP");
        while (await has() || node.held().length > 0) await pause(20);
        node.signal("SIGCONT");
      });
    } finally {
      await network.close();
    }
  },
});

// ------------------------------------------------------------------------- agents that do it wrong

const HEAD = `#!/bin/sh
meta() { cat <<'END'
<?xml version="1.0"?><resource-agent name="x"><parameters>
<parameter name="path" required="1"><content type="string"/></parameter>
<parameter name="count"><content type="integer"/></parameter></parameters>
<actions><action name="start" timeout="10s"/><action name="stop" timeout="10s"/>
<action name="monitor" timeout="10s" depth="0"/><action name="monitor" depth="10"/>
<action name="meta-data"/></actions></resource-agent>
END
}
[ "$1" = meta-data ] && { meta; exit 0; }
`;

/** Writes an agent `ocf:test:x` of which this is the body, and a node that has it. */
async function withAgent(
  body: string,
  run: (node: AgentNode, action: (more?: Record<string, string>) => OcfAction) => Promise<void>,
  head = HEAD,
): Promise<void> {
  const root = Deno.makeTempDirSync({ prefix: "pentad-ocf-" });
  Deno.mkdirSync(`${root}/resource.d/test`, { recursive: true });
  Deno.writeTextFileSync(`${root}/resource.d/test/x`, `${head}${body}`, { mode: 0o755 });
  try {
    const action = (more: Record<string, string> = {}) =>
      agent("x", { path: `${root}/state`, ...more }, "test");
    await withNode(new AgentNode([], root), (node) => run(node, action));
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

const PLAIN = `case $1 in
start) env >"$OCF_RESKEY_path.env"; touch "$OCF_RESKEY_path" ;;
stop) rm -f "$OCF_RESKEY_path" ;;
monitor) [ -f "$OCF_RESKEY_path" ] || exit 7; [ "$OCF_CHECK_LEVEL" != 10 ] || exit 1 ;;
esac
`;

Deno.test("an agent is run with the environment of the standard", async () => {
  await withAgent(PLAIN, async (node, action) => {
    assert.equal((await node.start(ID, action({ count: "3" }))).failure, null);
    const path = action().parameters.path ?? "";
    const environment = new Map(
      Deno.readTextFileSync(`${path}.env`).split("\n").map((line) =>
        [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)] as const
      ),
    );
    const of = (name: string) => environment.get(name);
    assert.equal(of("OCF_RESKEY_path"), path);
    assert.equal(of("OCF_RESKEY_count"), "3");
    assert.equal(of("OCF_RESOURCE_INSTANCE"), "r");
    assert.equal(of("OCF_RESOURCE_TYPE"), "x");
    assert.equal(of("OCF_RESOURCE_PROVIDER"), "test");
    assert.deepEqual([of("OCF_RA_VERSION_MAJOR"), of("OCF_RA_VERSION_MINOR")], ["1", "1"]);
    assert.equal(of("OCF_RESKEY_CRM_meta_timeout"), "10000");
    assert.match(of("PATH") ?? "", /^\/.*\/stand-ins:/);
    assert.deepEqual(await node.health(ID, { ...action(), checkLevel: 10 }), { state: "running" });
    assert.equal((await node.stop(ID)).failure, null);
    const deep = { ...action(), checkLevel: 10 };
    assert.equal((await node.start(ID, deep)).failure, null);
    assert.equal((await node.health(ID, deep)).state, "failed");
  });
});

Deno.test("a daemon that outlives its daemon's crash is adopted, and stopped by what was noted", async () => {
  await withAgent(PLAIN, async (node, action) => {
    assert.equal((await node.start(ID, action())).failure, null);
    await node.crash();
    node.boot();
    assert.deepEqual(await node.list(), [ID]);
    assert.deepEqual(await node.health(ID, action()), { state: "running" });
    assert.equal((await node.stop(ID)).failure, null);
    assert.equal(exists(action().parameters.path ?? ""), false);
    assert.deepEqual(node.held(), []);
  });
});

Deno.test("a start that still looks when everything is killed comes about in no later tenure", async () => {
  const waits = HEAD.replace(
    '[ "$1" = meta-data ] &&',
    '[ "$1" = meta-data ] && touch "$OCF_RESKEY_path.asked" &&' +
      ' { until [ -e "$OCF_RESKEY_path.go" ]; do sleep 0.02; done; } &&',
  );
  await withAgent(PLAIN, async (node, action) => {
    const path = action().parameters.path ?? "";
    const start = node.start(ID, action());
    while (!exists(`${path}.asked`)) await pause(10);
    assert.equal((await node.killAll()).failure, null);
    await node.guard(boottime() + 600_000);
    Deno.writeTextFileSync(`${path}.go`, "");
    assert.match((await start).failure ?? "", /Everything was killed/);
    assert.deepEqual([await node.list(), exists(path)], [[], false]);
    assert.equal((await node.start(ID, action())).failure, null, "but another one does");
  }, waits);
});

for (
  const [what, head, words, scope] of [
    [
      "broken meta-data",
      "#!/bin/sh\necho '<resource-agent><actions>'\n",
      /broken meta-data/,
      "node",
    ],
    ["no meta-data", "#!/bin/sh\nexit 3\n", /does not describe itself: it ended with 3/, "node"],
    ["endless meta-data", "#!/bin/sh\nexec yes\n", /printed more than/, "node"],
    ["a role more", HEAD.replace('name="meta-data"', 'name="promote"'), /promoted/, "everywhere"],
  ] as const
) {
  Deno.test(`an agent with ${what} is not started`, async () => {
    await withAgent(PLAIN, async (node, action) => {
      const end = await node.start(ID, action());
      assert.match(end.failure ?? "", words);
      assert.equal(end.scope, scope);
      assert.deepEqual(await node.list(), []);
      assert.equal((await node.stop(ID)).failure, null);
    }, head);
  });
}

Deno.test("parameters that the agent does not want are named, and nothing is started", async () => {
  await withAgent(PLAIN, async (node, action) => {
    const wrong = { ...action({ count: "many", pth: "x" }), checkLevel: 7 };
    const { failure, scope } = await node.start(ID, wrong);
    assert.match(failure ?? "", /"count" wants a whole number, not "many"/);
    assert.match(failure ?? "", /no parameter "pth"; "path" was meant\?/);
    assert.match(failure ?? "", /no check level 7, only 0, 10/);
    assert.equal(scope, "everywhere");
    const absent = await node.start(ID, agent("absent", {}, "test"));
    assert.match(absent.failure ?? "", /"ocf:test:absent" is not installed/);
    assert.equal(absent.scope, "node");
  });
});

for (
  const [status, words, scope] of [
    [1, /start ended with 1 \(failed\): out of paper/, "once"],
    [2, /2 \(a parameter is wrong on this node\)/, "node"],
    [5, /5 \(not installed on this node\)/, "node"],
    [6, /6 \(a parameter is wrong\)/, "everywhere"],
    [8, /8 \(it runs as promoted/, "everywhere"],
    [77, /77 \(it is no status of OCF\)/, "once"],
  ] as const
) {
  Deno.test(`a start that ends with ${status} is told with its reason, and its stop is none`, async () => {
    const body = `echo chatter; echo "ocf-exit-reason:out of paper" >&2; echo more >&2
      case $1 in stop|monitor) exit $([ ${status} = 5 ] && echo 5 || echo 0) ;; *) exit ${status} ;; esac\n`;
    await withAgent(body, async (node, action) => {
      const end = await node.start(ID, action());
      assert.match(end.failure ?? "", words);
      assert.match(end.failure ?? "", /out of paper$/);
      assert.equal(end.scope, scope);
      assert.equal((await node.stop(ID)).failure, null);
      assert.deepEqual(node.held(), []);
      assert.match(node.log(ID), /chatter/);
    });
  });
}

Deno.test("an agent that forks, escapes, ignores SIGTERM and hangs leaves nothing behind", async () => {
  const mark = `1${Date.now() % 1e8}11`;
  const body = `trap '' TERM
case $1 in
start) (setsid env -i sleep ${mark} &); setsid sleep ${mark} & sleep ${mark} ;;
stop) exit 0 ;;
esac\n`;
  await withAgent(body, async (node, action) => {
    const starting = node.start(ID, action(), 1500);
    const found = await commands(`sleep ${mark}`, 3);
    const { failure } = await starting;
    assert.match(failure ?? "", /did not end in 1500 ms/);
    assert.equal((await node.stop(ID)).failure, null);
    for (const each of found) assert.equal(isAlive(each), false);
    assert.deepEqual(await node.list(), []);
  });
});

Deno.test("an agent that prints without end is ended, and its log is bounded", async () => {
  await withAgent('case $1 in start) yes "a long line" ;; esac\n', async (node, action) => {
    assert.match((await node.start(ID, action())).failure ?? "", /printed more than/);
    assert.ok(node.log(ID).length < 10_000);
    assert.equal((await node.stop(ID)).failure, null);
  });
});

Deno.test("what an agent started is not taken for stopped because the agent is gone since", async () => {
  await withAgent(PLAIN, async (node, action) => {
    assert.equal((await node.start(ID, action())).failure, null);
    const path = action().parameters.path ?? "";
    const script = `${path.slice(0, path.lastIndexOf("/"))}/resource.d/test/x`;
    const text = Deno.readTextFileSync(script);
    Deno.removeSync(script);
    assert.match((await node.stop(ID)).failure ?? "", /the agent is not installed/);
    Deno.writeTextFileSync(script, "#!/bin/sh\nexit 5\n", { mode: 0o755 });
    assert.match((await node.stop(ID)).failure ?? "", /5 \(not installed on this node\)/);
    assert.deepEqual([await node.list(), exists(path)], [[ID], true]);
    Deno.writeTextFileSync(script, text);
    assert.equal((await node.stop(ID)).failure, null);
    assert.deepEqual([await node.list(), exists(path)], [[], false]);
  });
});

Deno.test("a stop that fails is told, and what is held stays held", async () => {
  const flag = Deno.makeTempFileSync();
  const body =
    `case $1 in stop) [ -f ${flag} ] && { echo "still busy" >&2; exit 1; } ;; esac\nexit 0\n`;
  try {
    await withAgent(body, async (node, action) => {
      assert.equal((await node.start(ID, action())).failure, null);
      assert.match((await node.stop(ID)).failure ?? "", /stop ended with 1 \(failed\): still busy/);
      assert.deepEqual(node.held(), [ID]);
      // The kill at the end of the guard cannot undo it either: the node is not clean.
      assert.match((await node.killAll()).failure ?? "", /is not undone.*still busy/);
      Deno.removeSync(flag);
      assert.equal((await node.killAll()).failure, null);
      assert.deepEqual(node.held(), []);
    });
  } finally {
    await Deno.remove(flag).catch(() => {});
  }
});

Deno.test("stand-ins answer agents for programs of Pacemaker", async () => {
  const body = `case $1 in
start) crm_attribute --name x -U 5 && attrd_updater -n y -U 6 &&
  { crm_node -n; crm_attribute -n x -G -q; attrd_updater -n y -Q; crm_mon; } >"$OCF_RESKEY_path" 2>&1 ;;
esac
exit 0\n`;
  await withAgent(body, async (node, action) => {
    assert.equal((await node.start(ID, action())).failure, null);
    const told = Deno.readTextFileSync(action().parameters.path ?? "").split("\n");
    assert.deepEqual(told.slice(0, 3), ["nodeA", "5", 'name="y" host="nodeA" value="6"']);
    assert.match(told[3] ?? "", /crm_mon: this host is run by pentad/);
  });
});
