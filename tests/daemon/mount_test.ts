/**
 * The replicated tree as real programs see it: real daemons, real mounts. Needs root and /dev/fuse;
 * where they are missing each test is ignored and says so. What each call answers: `calls_test.ts`.
 */
import assert from "node:assert/strict";
import { pause } from "../../scripts/local_cluster.ts";
import { DIFF, mounted, run, settled, shell, test } from "./mount_world.ts";

/** SIGKILLs of a daemon whose mount is being written; PENTAD_KILLS asks for more. */
const KILLS = Number(Deno.env.get("PENTAD_KILLS") ?? 15);
/** Writes $1/k$2-0, -1, …; says each number when its close(2) has returned without an error. */
const WRITER = `for ((i = 0; ; i++)); do python3 -c 'import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
os.write(fd, (sys.argv[2] * 20000).encode())
os.close(fd)' "$1/k$2-$i" "$i." && echo $i || exit; done`;
/** For how long four writers write on each node; PENTAD_WRITE_SECONDS asks for more. */
const WRITE_SECONDS = Number(Deno.env.get("PENTAD_WRITE_SECONDS") ?? 4);

/** Each leaves something below $A; what it is called, and the program that it needs. */
const PROGRAMS: readonly (readonly [string, string, string])[] = [
  ["editor in place", "sed", 'printf "one\\ntwo\\n" > $A/sed; sed -i s/two/2/ $A/sed'],
  ["cp -a", "cp", "cp -a /etc/skel $A/skel; cp -a /etc/passwd $A/passwd"],
  ["tar", "tar", "mkdir $A/tar; tar -cf - -C /etc/apt . | tar -xf - -C $A/tar --no-same-owner"],
  [
    "git",
    "git",
    "cd $A; git init -q repo; cd repo; echo 1 > f; git add f; " +
    "git -c user.name=a -c user.email=a@b commit -qm one; git fsck 2> /dev/null",
  ],
  [
    "rsync",
    "rsync",
    "rsync -a --delete /etc/apt/ $A/rsync/; rsync -a --delete /etc/apt/ $A/rsync/",
  ],
  ["vim", "vim", "vim -n -es -c 'call setline(1,\"typed\")' -c 'wq' $A/vim </dev/null"],
  [
    "python",
    "python3",
    'python3 -c \'import os; p=os.environ["A"]+"/python"; ' +
    'f=open(p,"w+"); f.write("x"*70000); f.flush(); f.seek(5); f.write("Y"); f.close(); ' +
    'os.truncate(p, 60000); os.rename(p, p+"2")\'',
  ],
  [
    "find and df",
    "find",
    "find $A -type f | sort > /dev/null; df $A > /dev/null; df -i $A > /dev/null",
  ],
];

test("real programs are content with the mount, and the other node has the same bytes", [
  "nodeA",
  "nodeB",
], async (cluster) => {
  for (const [name, program, words] of PROGRAMS) {
    if ((await shell(cluster, `command -v ${program}`)).code !== 0) {
      console.log(`skipped: ${name}: ${program} is not installed`);
      continue;
    }
    await run(cluster, words);
    await settled(cluster);
    await run(
      cluster,
      `${DIFF} $A $B; ` +
        "if [ -d $A/repo ]; then diff -r $A/repo/.git $B/repo/.git; fi",
    );
  }
  const log = await shell(cluster, "git -c safe.directory='*' -C $B/repo log --format=%s");
  assert.equal(log.stdout, "one\n", log.stderr);
});

/**
 * Adds $3 times one to the number in the file $1, under a lock; $2 is the program that takes it. No call
 * hangs: on a busy machine one that is not answered in its bound is EAGAIN, and is tried again.
 */
const COUNTER = `count() { for ((i = 0; i < $3; i++)); do case $2 in
flock) until (
    until flock 9; do :; done
    until n=$(cat $1); do :; done
    # The shell does not look at what close() answers.
    until [ "$(cat $1)" = $((n + 1)) ]; do echo $((n + 1)) > $1; done
  ) 9>> $1.lock; do :; done ;;
python3) python3 -c 'import fcntl, sys
with open(sys.argv[1], "r+") as f:
  while True:
    try: fcntl.lockf(f, fcntl.LOCK_EX); break
    except BlockingIOError: pass
  n = int(f.read() or 0)
  f.seek(0)
  f.write(str(n + 1) + "\\n")
  f.flush()
  fcntl.lockf(f, fcntl.LOCK_UN)' $1 ;;
esac; done; }`;
/** Increments of each of two counters on each node. */
const COUNTS = 25;

for (const program of ["flock", "python3"]) {
  test(`locks of ${program} hold on both nodes: no increment of a counter is lost`, [
    "nodeA",
    "nodeB",
  ], async (cluster) => {
    if ((await shell(cluster, `command -v ${program}`)).code !== 0) {
      return console.log(`skipped: ${program} is not installed`);
    }
    await run(cluster, "echo 0 > $A/counter; touch $A/counter.lock");
    await settled(cluster);
    const counts = ["A", "B", "A", "B"].map((node) =>
      `count $${node}/counter ${program} ${COUNTS} & pids+=($!)`
    );
    const words = [COUNTER, "pids=()", ...counts, 'for pid in "${pids[@]}"; do wait $pid; done'];
    await run(cluster, words.join("\n"));
    await settled(cluster);
    assert.equal(await run(cluster, "cat $A/counter"), `${4 * COUNTS}\n`);
    assert.equal(await run(cluster, "cat $B/counter"), `${4 * COUNTS}\n`);
  });
}

test(
  "a lock of one node is in the way on the other, until its program is killed",
  ["nodeA", "nodeB"],
  async (cluster) => {
    if ((await shell(cluster, "command -v flock")).code !== 0) {
      return console.log("skipped: flock is not installed");
    }
    const held = await run(
      cluster,
      "touch $A/l; flock $A/l sleep 1000 & pid=$!; until ! flock -n $A/l true; do :; done; " +
        "flock -n $B/l true && echo both || echo one; " +
        "flock $B/l echo then & waits=$!; pkill -P $pid; wait $pid || true; wait $waits",
    );
    assert.equal(held, "one\nthen\n");
  },
);

test(
  "errors have their own causes, and limits hold before anything is written",
  ["nodeA", "nodeB"],
  async (cluster) => {
    await run(cluster, "echo old > $A/big");
    const big = await shell(
      cluster,
      "head -c 1048577 /dev/zero > $A/big2 || " +
        "head -c 1048577 /dev/zero | dd of=$A/big conv=notrunc bs=1M iflag=fullblock",
    );
    assert.match(big.stderr, /File too large/);
    assert.equal(await run(cluster, "cat $B/big"), "old\n");
    await run(
      cluster,
      "mkdir -p $A/nodes/node{A,B}/qemu-server; echo cores: 1 > $A/nodes/nodeA/qemu-server/100.conf",
    );
    const twice = await shell(cluster, "set -C; echo x > $B/nodes/nodeB/qemu-server/100.conf");
    assert.match(twice.stderr, /exist/);
    await run(
      cluster,
      "mv $B/nodes/nodeA/qemu-server/100.conf $B/nodes/nodeB/qemu-server/; " +
        "test -e $A/nodes/nodeB/qemu-server/100.conf",
    );
    await cluster.node(1).powerCut();
    const alone = cluster.node(0);
    await alone.until("no quorum", (status) => !status.quorate);
    assert.equal(await run(cluster, "cat $A/big"), "old\n", "reading goes on");
    for (const words of ["echo x > $A/big", "touch $A/new", "mkdir $A/dir", "rm $A/big"]) {
      assert.match((await shell(cluster, words)).stderr, /Read-only file system/, words);
    }
    assert.match(await run(cluster, "stat -c %A $A/big"), /^-r--r-----/);
  },
);

test("what close() acknowledged is there whole after a SIGKILL, and nothing is half there", [
  "nodeA",
  "nodeB",
], async (cluster) => {
  const victim = cluster.node(0);
  const closed = new Map<string, string>();
  for (let kill = 0; kill < KILLS; kill++) {
    const writer = new Deno.Command("bash", {
      args: [
        "-c",
        WRITER,
        "-",
        victim.mount,
        String(kill),
      ],
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const lines: string[] = [];
    const reading = (async () => {
      for await (const chunk of writer.stdout.pipeThrough(new TextDecoderStream())) {
        lines.push(...chunk.split("\n").filter((line) => line !== ""));
      }
    })();
    while (lines.length < 1 + kill % 4) await pause(5);
    await victim.crash();
    await writer.status;
    await reading;
    for (const line of lines) closed.set(`k${kill}-${line}`, `${line}.`.repeat(20000));
    await victim.start();
    await mounted(victim);
    await victim.until("it can write", (status) => status.config.writable);
  }
  await settled(cluster);
  for (const node of cluster.nodes) {
    for (const { name } of Deno.readDirSync(node.mount)) {
      if (!name.startsWith("k")) continue;
      const number = name.split("-")[1];
      const text = await Deno.readTextFile(`${node.mount}/${name}`);
      assert.ok(text === `${number}.`.repeat(20000), `${name} on ${node.name} has ${text.length}`);
      closed.delete(`${name} ${node.name}`);
    }
    for (const [name, text] of closed) {
      assert.equal(
        await Deno.readTextFile(`${node.mount}/${name}`),
        text,
        `${name} on ${node.name}`,
      );
    }
  }
});

/** Writes a file, again where the mount says that it cannot be now; how often it said so. */
async function write(path: string, text: string): Promise<number> {
  for (let refused = 0;; refused++) {
    try {
      await Deno.writeTextFile(path, text);
      return refused;
    } catch (error) {
      // On a busy machine a node may lose its majority for a moment.
      const code = (error as { readonly code?: string }).code ?? "";
      if (!["EAGAIN", "EROFS", "ETIMEDOUT"].includes(code)) throw error;
      await pause(20);
    }
  }
}

test(
  "four writers on each of three nodes end with equal trees",
  ["nodeA", "nodeB", "nodeC"],
  async (cluster) => {
    const writers = cluster.nodes.flatMap((node) => [0, 1, 2, 3].map((lane) => ({ node, lane })));
    const end = performance.now() + WRITE_SECONDS * 1000;
    let refused = 0;
    const last = await Promise.all(writers.map(async ({ node, lane }) => {
      let at = 0;
      for (; performance.now() < end || at < 10; at++) {
        const text = `${node.name} ${lane} ${at}\n`.repeat(1 + at % 50);
        // Own files, and one that all fight for.
        const own = await write(`${node.mount}/${node.name}-${lane}-${at % 10}`, text);
        const shared = at % 5 === 0 ? await write(`${node.mount}/shared`, text) : 0;
        refused += own + shared;
      }
      return at - 1;
    }));
    const total = last.reduce((sum, at) => sum + at + 1, 0);
    console.log(`  ${total} files written in ${WRITE_SECONDS} s, ${refused} times refused`);
    await settled(cluster);
    for (const [at, { node, lane }] of writers.entries()) {
      const newest = `${node.name} ${lane} ${last[at]}`;
      const file = `$C/${node.name}-${lane}-${(last[at] ?? 0) % 10}`;
      assert.equal(await run(cluster, `head -n 1 ${file}`), `${newest}\n`);
    }
    await run(
      cluster,
      `${DIFF} $A $B; ${DIFF} $A $C`,
    );
    const shared = await run(cluster, "cat $C/shared");
    assert.equal(new Set(shared.trimEnd().split("\n")).size, 1, "one writer's text, whole");
  },
);

test(
  "a stale mount of a killed daemon is taken over, and an orderly stop leaves none",
  ["nodeA"],
  async (cluster) => {
    const node = cluster.node(0);
    await run(cluster, "echo kept > $A/x");
    await node.crash();
    const dead = await shell(cluster, "timeout 5 cat $A/x");
    assert.notEqual(dead.code, 0, "nobody answers");
    await node.start();
    await mounted(node);
    assert.equal(await run(cluster, "cat $A/x"), "kept\n");
    Deno.kill(node.pid, "SIGTERM");
    while (node.pids("daemon").length > 0) await pause(10);
    assert.ok(!Deno.readTextFileSync("/proc/self/mountinfo").includes(node.mount));
  },
);
