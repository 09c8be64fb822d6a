/** What a daemon tells systemd, over a socket as systemd opens it. */
import assert from "node:assert/strict";
import { Journal, journalEntry } from "../../mod/host/linux/journal.ts";
import { ServiceNotifier } from "../../mod/host/linux/systemd.ts";
import { LocalCluster } from "../../scripts/local_cluster.ts";

/** A hang must fail by its name. */
const LIMIT_MS = 30_000;
const DECODER = new TextDecoder();

async function withSocket(
  body: (path: string, next: () => Promise<string>) => Promise<void>,
): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-notify-" });
  const path = `${folder}/systemd`;
  const socket = Deno.listenDatagram({ transport: "unixpacket", path });
  try {
    await body(path, async () => {
      const late = new Error(`Nothing more is said in ${LIMIT_MS} ms`);
      const timer = setTimeout(() => socket.close(), LIMIT_MS);
      const [bytes] = await socket.receive().catch(() => {
        throw late;
      });
      clearTimeout(timer);
      return DECODER.decode(bytes);
    });
  } finally {
    try {
      socket.close();
    } catch {
      // It was closed when nothing came.
    }
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("ServiceNotifier says each thing in systemd's words, and a status once", async () => {
  await withSocket(async (path, next) => {
    const folder = path.slice(0, path.lastIndexOf("/"));
    const notifier = new ServiceNotifier(folder, path);
    notifier.ready();
    notifier.status("all is\nwell");
    notifier.status("all is\nwell");
    notifier.alive();
    notifier.stopping(2000);
    assert.equal(await next(), "READY=1");
    assert.equal(await next(), "STATUS=all is well");
    assert.equal(await next(), "WATCHDOG=1");
    assert.equal(await next(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=2000000");
    await notifier.close();
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["systemd"]);
  });
});

Deno.test("ServiceNotifier without systemd, or with one that does not listen, does nothing", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-notify-" });
  try {
    for (const target of [undefined, "", `${folder}/nobody`]) {
      const notifier = new ServiceNotifier(folder, target);
      notifier.ready();
      await notifier.close();
    }
    const lost = new ServiceNotifier(`${folder}/no-such-folder`, `${folder}/nobody`);
    lost.ready();
    await lost.close();
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("a daemon says that it is ready, how it is, that it lives, and that it stops", async () => {
  await withSocket(async (path, next) => {
    Deno.env.set("NOTIFY_SOCKET", path);
    const cluster = new LocalCluster({ names: ["solo"], disk: false, watchdog: "none" });
    try {
      const solo = cluster.node(0);
      await solo.start();
      assert.equal(await next(), "READY=1");
      await solo.run("init", "prod", "--profile", "fast");
      const said = new Set<string>();
      while (!said.has("STATUS=solo: prod, quorate, disarmed: no watchdog, leader solo")) {
        said.add(await next());
      }
      assert.ok(said.has("WATCHDOG=1"));
      // A loop that hangs is silent: systemd would restart it.
      Deno.kill(solo.pid, "SIGTERM");
      for (let line = ""; !line.startsWith("STOPPING=1"); line = await next());
    } finally {
      Deno.env.delete("NOTIFY_SOCKET");
      await cluster.close();
    }
  });
});

Deno.test("journalEntry() keeps each value in its field, whatever is in it", () => {
  const text = (fields: Record<string, string>) =>
    [...journalEntry(fields)].map((byte) => String.fromCharCode(byte)).join("");
  assert.equal(
    text({ MESSAGE: "all is well", PRIORITY: "6" }),
    "MESSAGE=all is well\nPRIORITY=6\n",
  );
  assert.equal(
    text({ MESSAGE: "a\nPRIORITY=0", PRIORITY: "6" }),
    "MESSAGE\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\nPRIORITY=6\n",
  );
  // Names that journald would refuse, or take for its own.
  assert.equal(text({ _PID: "1", lower: "1", "A=B": "1", "": "1", OK: "" }), "OK=\n");
  assert.equal(journalEntry({ MESSAGE: "x".repeat(100_000) }).length, 16 * 1024 + 9);
});

Deno.test("Journal sends entries in order, and tells how many it had to drop", async () => {
  await withSocket(async (path, next) => {
    const folder = path.slice(0, path.lastIndexOf("/"));
    const journal = new Journal(folder, path);
    const many = 1000;
    for (let at = 0; at < many; at++) journal.write({ MESSAGE: String(at) });
    let kept = 0;
    for (; await next() === `MESSAGE=${kept}\n`; kept++) {
      if (kept !== 255) continue;
      kept++;
      break;
    }
    assert.equal(kept, 256);
    journal.write({ MESSAGE: "later" });
    assert.equal(await next(), `MESSAGE=later\nPENTAD_DROPPED=${many - kept}\n`);
    journal.write({ MESSAGE: "well again" });
    assert.equal(await next(), "MESSAGE=well again\n");
    await journal.close();
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["systemd"]);
  });
});

Deno.test("a journal that takes nothing holds nobody up who ends", async () => {
  await withSocket(async (path) => {
    const folder = path.slice(0, path.lastIndexOf("/"));
    const journal = new Journal(folder, path);
    // Far more than a socket that nobody reads takes in.
    for (let at = 0; at < 256; at++) journal.write({ MESSAGE: "x".repeat(16_000) });
    await journal.close();
    assert.throws(() => Deno.statSync(`${folder}/journal.sock`), Deno.errors.NotFound);
  });
});
