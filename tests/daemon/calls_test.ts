/**
 * What each call answers on a real mount, with and without quorum: one row per row of the table of
 * Proxmox VE's pmxcfs (`mod/config/fuse/DESIGN.md`). "better:" marks where ours is not the same, on
 * purpose. The same rows against a simulated kernel: `tests/config/fuse/table_test.ts`.
 */
import assert from "node:assert/strict";
import { pause } from "../../scripts/local_cluster.ts";
import { python, run, settled, shell, test } from "./mount_world.ts";

/**
 * Each row is a function's body over `root` (the mount), `s` (a name for this state of the cluster)
 * and `d` (a directory of that name, with what is made in `prepare`). A number that is returned by
 * `failing` is the errno's name.
 */
const PRELUDE = `
import ctypes, errno, fcntl, json, mmap, os, socket, stat, sys
libc = ctypes.CDLL(None, use_errno=True)
def libc_call(name, *args):
    if getattr(libc, name)(*args) != 0: raise OSError(ctypes.get_errno(), name)
def put(path, data=b"", flags=os.O_CREAT | os.O_TRUNC):
    fd = os.open(path, os.O_WRONLY | flags)
    try: os.write(fd, data)
    finally: os.close(fd)
def cat(path):
    with open(path, "rb") as file: return file.read().decode()
def mode(path): return oct(stat.S_IMODE(os.lstat(path).st_mode))
def bind(path):
    with socket.socket(socket.AF_UNIX) as end: end.bind(path)
def mapped(path, flags, how, protection):
    fd = os.open(path, flags)
    try:
        with mmap.mmap(fd, 0, how, protection) as pages: return pages[:].decode()
    finally: os.close(fd)
def opened(path, flags=os.O_WRONLY): os.close(os.open(path, flags))
def appended(path, data):
    put(path, data, os.O_APPEND)
    return cat(path)
def locked(path, how):
    fd = os.open(path, os.O_RDONLY)
    try: how(fd)
    finally: os.close(fd)
`;
const ROWS_PROGRAM = `${PRELUDE}
root, s, rows = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
d = root + "/" + s
answers = []
for body in rows:
    scope = dict(globals())
    exec("def row():\\n  " + body.replace("\\n", "\\n  "), scope)
    try: answer = scope["row"]()
    except OSError as error: answer = errno.errorcode[error.errno]
    answers.append("ok" if answer is None else answer)
print(json.dumps(answers))
`;

/** Made for both states while there is quorum; two guests of one number each. */
function prepare(s: string, guest: number): string {
  return `mkdir -p $A/${s}/{d,full,e} $A/priv/lock/${s}-held $A/nodes/node{A,B}/{qemu-server,lxc}; ` +
    `printf old > $A/${s}/f; printf 1 > $A/${s}/full/x; printf 2 > $A/${s}/g; ` +
    `printf 3 > $A/${s}/h; printf secret > $A/priv/${s}; mkdir -p $A/nodes/nodeA/priv; ` +
    `mkdir $B/priv/lock/${s}-other; printf c > $A/nodes/nodeA/qemu-server/${guest}.conf; ` +
    `printf c > $B/nodes/nodeB/lxc/${guest + 1}.conf`;
}

/** The answer with quorum, and without. */
type Row = readonly [what: string, body: string, quorate: unknown, alone: unknown];

const ROWS: readonly Row[] = [
  ["read", "return cat(d + '/f')", "old", "old"],
  ["stat", "return os.stat(d + '/f').st_size", 3, 3],
  ["readdir", "return sorted(os.listdir(d))", ...twice(["d", "e", "f", "full", "g", "h"])],
  ["stat of what is not there", "os.stat(d + '/none')", ...twice("ENOENT")],
  ["better: open for writing fails at once", "opened(d + '/f')", "ok", "EROFS"],
  ["open for both", "opened(d + '/f', os.O_RDWR)", "ok", "EROFS"],
  ["write", "put(d + '/f', b'old', 0)", "ok", "EROFS"],
  ["create", "put(d + '/new', b'x')", "ok", "EROFS"],
  ["create, exclusive", "put(d + '/new2', b'x', os.O_CREAT | os.O_EXCL)", "ok", "EROFS"],
  ["O_TRUNC", "put(d + '/f', b'old', os.O_TRUNC)", "ok", "EROFS"],
  ["truncate", "os.truncate(d + '/f', 3)", "ok", "EROFS"],
  ["mkdir", "os.mkdir(d + '/made')", "ok", "EROFS"],
  ["rmdir", "os.rmdir(d + '/e')", "ok", "EROFS"],
  ["unlink", "os.unlink(d + '/h')", "ok", "EROFS"],
  ["rename", "os.rename(d + '/g', d + '/g2')", "ok", "EROFS"],
  ["utime", "os.utime(d + '/f', (7, 7))", "ok", "EROFS"],
  ["… in whole seconds, one for all", "return os.stat(d + '/f').st_ctime", 7, "any"],
  ["mkdir of a lock", "os.mkdir(root + '/priv/lock/' + s + '-new')", "ok", "EROFS"],
  ["… that is taken", "os.mkdir(root + '/priv/lock/' + s + '-held')", ...twice("EEXIST")],
  ["renewal of a lock", "os.utime(root + '/priv/lock/' + s + '-held')", "ok", "EROFS"],
  ["… of another node's", "os.utime(root + '/priv/lock/' + s + '-other')", "EACCES", "EROFS"],
  ["wish to unlock", "os.utime(root + '/priv/lock/' + s + '-other', (0, 0))", "ok", "EROFS"],
  ["… which waits 120 s", "return mode(root + '/priv/lock/' + s + '-other')", "0o700", "0o500"],
  ["rmdir of a lock", "os.rmdir(root + '/priv/lock/' + s + '-other')", "ok", "EROFS"],
  ["rename of a lock", "os.rename(root+'/priv/lock/'+s+'-held', d+'/l')", ...twice("EACCES")],
  ["rename to a lock", "os.rename(d + '/d', root + '/priv/lock/new')", ...twice("EACCES")],
  ["chmod to its own mode", "os.chmod(d + '/f', 0o640)", ...twice("ok")],
  ["better: chmod to one that lets in more", "os.chmod(d + '/f', 0o644)", ...twice("ok")],
  ["chmod to keep somebody out", "os.chmod(d + '/f', 0o600)", ...twice("EPERM")],
  ["chown to root", "os.chown(d + '/f', 0, 0)", ...twice("ok")],
  ["chown to anybody else", "os.chown(d + '/f', 1, 1)", ...twice("EPERM")],
  ["write to .debug", "put(root + '/.debug', b'0', 0)", ...twice("ok")],
  ["symlink", "os.symlink('f', d + '/l')", ...twice("ENOSYS")],
  ["mkfifo", "os.mkfifo(d + '/p')", ...twice("ENOSYS")],
  ["bind of a socket", "bind(os.path.relpath(d) + '/s')", ...twice("ENOSYS")],
  ["hard link", "os.link(d + '/f', d + '/l')", ...twice("EPERM")],
  ["setxattr", "os.setxattr(d + '/f', 'user.a', b'x')", ...twice("ENOTSUP")],
  [
    "mmap, private",
    "return mapped(d + '/f', os.O_RDONLY, mmap.MAP_PRIVATE, mmap.PROT_READ)",
    ...twice("old"),
  ],
  [
    "mmap, shared",
    "return mapped(d + '/f', os.O_RDONLY, mmap.MAP_SHARED, mmap.PROT_READ)",
    ...twice("ENODEV"),
  ],
  [
    "better: flock is the cluster's",
    "locked(d + '/f', lambda fd: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB))",
    "ok",
    "EROFS",
  ],
  [
    "better: fcntl lock is the cluster's",
    "locked(d + '/f', lambda fd: fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB))",
    "ok",
    "EROFS",
  ],
  ["fsync", "locked(d + '/f', os.fsync)", ...twice("ok")],
  ["O_APPEND", "return appended(d + '/f', b'er')", "older", "EROFS"],
  [
    "sparse write: holes are zeros",
    "fd = os.open(d + '/f', os.O_WRONLY)\nos.pwrite(fd, b'x', 7)\nos.close(fd)\n" +
    "return cat(d + '/f')",
    "older\0\0x",
    "EROFS",
  ],
  [
    "truncate down and up",
    "os.truncate(d + '/f', 2)\nos.truncate(d + '/f', 4)\nreturn cat(d + '/f')",
    "ol\0\0",
    "EROFS",
  ],
  ["better: O_EXCL", "put(d + '/f', b'', os.O_CREAT | os.O_EXCL)", ...twice("EEXIST")],
  ["mkdir of what is there", "os.mkdir(d + '/d')", ...twice("EEXIST")],
  [
    "rename over a file",
    "put(d + '/tmp', b'new')\nos.rename(d + '/tmp', d + '/f')\nreturn cat(d + '/f')",
    "new",
    "EROFS",
  ],
  [
    "better: RENAME_NOREPLACE",
    "libc_call('renameat2', -100, (d+'/f').encode(), -100, (d+'/full/x').encode(), 1)",
    ...twice("EEXIST"),
  ],
  [
    "RENAME_EXCHANGE",
    "libc_call('renameat2', -100, (d+'/f').encode(), -100, (d+'/full/x').encode(), 2)",
    ...twice("EINVAL"),
  ],
  ["rename of a full directory", "os.rename(d + '/full', d + '/n')", "ENOTEMPTY", "EROFS"],
  ["rmdir of a full directory", "os.rmdir(d + '/full')", "ENOTEMPTY", "EROFS"],
  ["unlink of a directory", "os.unlink(d + '/d')", ...twice("EISDIR")],
  ["rmdir of a file", "os.rmdir(d + '/f')", ...twice("ENOTDIR")],
  ["better: open of .members for writing", "opened(root + '/.members')", ...twice("EACCES")],
  ["unlink of .members", "os.unlink(root + '/.members')", ...twice("EACCES")],
  ["unlink of a link", "os.unlink(root + '/local')", ...twice("EACCES")],
  ["rename of a link", "os.rename(root + '/openvz', d + '/o')", ...twice("EACCES")],
  [
    "a number of another node's guest",
    "put(root + '/nodes/nodeA/qemu-server/' + guest(1))",
    "EEXIST",
    "EROFS",
  ],
  ["… of the other kind", "put(root + '/nodes/nodeA/lxc/' + guest(0))", "EEXIST", "EROFS"],
  [
    "… by a rename",
    "os.rename(d + '/f', root + '/nodes/nodeA/lxc/' + guest(1))",
    "EEXIST",
    "EROFS",
  ],
  [
    "move of a guest: the change of its owner",
    "n = root + '/nodes/node'\n" +
    "os.rename(n + 'A/qemu-server/' + guest(0), n + 'B/qemu-server/' + guest(0))\n" +
    "return cat(n + 'B/qemu-server/' + guest(0))",
    "c",
    "EROFS",
  ],
  ["better: 1 MiB + 1", "put(d + '/full/x', b'y' * 1048577)", "EFBIG", "EROFS"],
  ["… and the old content is whole", "return cat(d + '/full/x')", ...twice("1")],
  ["a name of 255 bytes", "opened(d + '/' + 'n' * 255, os.O_RDONLY)", ...twice("ENOENT")],
  ["… of 256", "opened(d + '/' + 'n' * 256, os.O_RDONLY)", ...twice("ENAMETOOLONG")],
  ["a name with a control character", "put(d + '/a\\nb')", "EINVAL", "EROFS"],
  ["mode of a directory", "return mode(d)", "0o755", "0o555"],
  ["mode of a file", "return mode(d + '/f')", "0o640", "0o440"],
  ["mode below priv", "return mode(root + '/priv/' + s)", "0o600", "0o400"],
  ["mode of a node's own priv", "return mode(root + '/nodes/nodeA/priv')", "0o700", "0o500"],
  ["mode of the root", "return mode(root)", ...twice("0o755")],
  ["PVE's own test for quorum", "return os.lstat(root + '/local').st_mode & 0o200", 0o200, 0],
  ["mode of .members", "return mode(root + '/.members')", ...twice("0o440")],
  ["mode of .debug", "return mode(root + '/.debug')", ...twice("0o640")],
  ["links", "return os.readlink(root + '/lxc')", ...twice("nodes/nodeA/lxc")],
  ["owner", "found = os.stat(d + '/f')\nreturn [found.st_uid, found.st_nlink]", ...twice([0, 1])],
  ["a directory's links and size", "return [*os.stat(d)][3:7:3]", ...twice([2, 0])],
];

function twice<T>(answer: T): [T, T] {
  return [answer, answer];
}

async function answersOf(root: string, s: string, guest: number): Promise<unknown[]> {
  const bodies = ROWS.map(([, body]) =>
    body.replace(/guest\((\d)\)/g, (_, at) => `'${guest + Number(at)}.conf'`)
  );
  return JSON.parse(await python(ROWS_PROGRAM, root, s, JSON.stringify(bodies)));
}

function compare(answers: readonly unknown[], expected: (row: Row) => unknown): void {
  const wrong = ROWS.flatMap((row, at) => {
    const [got, want] = [JSON.stringify(answers[at]), JSON.stringify(expected(row))];
    return got === want || expected(row) === "any" ? [] : [`${row[0]}: ${got}, not ${want}`];
  });
  assert.deepEqual(wrong, []);
}

/** Opens and locks while there is quorum; the rest when it is told that there is none. */
const HOLDER = `${PRELUDE}
d = sys.argv[1]
write, lock = os.open(d + "/g2", os.O_WRONLY), os.open(d + "/f", os.O_RDONLY)
fcntl.flock(lock, fcntl.LOCK_EX)
print("open", flush=True)
sys.stdin.readline()
def answer(call):
    try: call()
    except OSError as error: return errno.errorcode[error.errno]
    return "ok"
print(json.dumps([answer(lambda: os.write(write, b"x")), answer(lambda: fcntl.flock(lock, fcntl.LOCK_UN))]))
`;

test("every row of the table of calls, with quorum and without", [
  "nodeA",
  "nodeB",
], async (cluster) => {
  const { mount } = cluster.node(0);
  await run(cluster, `${prepare("quorate", 100)}; ${prepare("alone", 200)}`);
  // What the kernel was told when a name was not there yet is taken back asynchronously.
  await settled(cluster);
  compare(await answersOf(mount, "quorate", 100), ([, , quorate]) => quorate);
  await settled(cluster);
  assert.equal(
    await run(cluster, "cat $B/quorate/f; cat $B/nodes/nodeB/qemu-server/100.conf"),
    "newc",
  );

  const holder = new Deno.Command("python3", {
    args: ["-c", HOLDER, `${mount}/quorate`],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = linesOf(holder.stdout);
  assert.equal((await lines.next()).value, "open");
  await cluster.node(1).powerCut();
  await cluster.node(0).until("no quorum", (status) => !status.quorate);
  compare(await answersOf(mount, "alone", 200), ([, , , alone]) => alone);
  const words = holder.stdin.getWriter();
  await words.write(new TextEncoder().encode("\n"));
  await words.close();
  assert.deepEqual(JSON.parse((await lines.next()).value ?? ""), ["EROFS", "ok"]);
  assert.equal((await holder.status).code, 0);
});

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

/** Creates with O_EXCL, makes a directory, and makes a lock, as often as it is told; prints what was its own. */
const RACER = `
import os, sys
root, count = sys.argv[1], int(sys.argv[2])
def own(call):
    try: call()
    except FileExistsError: return "0"
    return "1"
for at in range(count):
    print(
        own(lambda: os.close(os.open(root + "/x%d" % at, os.O_CREAT | os.O_EXCL | os.O_WRONLY))) +
        own(lambda: os.mkdir(root + "/d%d" % at)) +
        own(lambda: os.mkdir(root + "/priv/lock/l%d" % at)))
`;

test("better: O_EXCL, mkdir and a lock are one node's, whoever asks at the same time", [
  "nodeA",
  "nodeB",
], async (cluster) => {
  await run(cluster, "mkdir -p $A/priv/lock");
  await settled(cluster);
  const won = await Promise.all(cluster.nodes.map(({ mount }) => python(RACER, mount, "60")));
  const [mine = "", other = ""] = won.map((text) => text.replaceAll("\n", ""));
  assert.equal(mine.length, 180);
  for (const [at, own] of [...mine].entries()) {
    assert.equal(Number(own) + Number(other[at]), 1, `try ${at}`);
  }
});

/** Reads the file over and over; every content must be of one writer, whole. Prints how many it saw. */
const READER = `
import sys
path, last, seen = sys.argv[1], sys.argv[2], set()
while True:
    with open(path) as file: text = file.read()
    assert len(text) == 300000 and len(set(text.split())) == 1, text[:20]
    seen.add(text.split()[0])
    if text.startswith(last): break
print(len(seen))
`;

test(
  "better: nobody on any node ever reads half of a file",
  ["nodeA", "nodeB"],
  async (cluster) => {
    const write = (number: number) =>
      Deno.writeTextFile(
        `${cluster.node(0).mount}/f`,
        `${1000 + number}.`.padEnd(6).repeat(50_000),
      );
    await write(0);
    await settled(cluster);
    const readers = cluster.nodes.map(({ mount }) => python(READER, `${mount}/f`, "1060"));
    for (let number = 1; number <= 60; number++) await write(number);
    for (const seen of await Promise.all(readers)) assert.ok(Number(seen) >= 1);
  },
);

/** Says when it is about to close; prints what close(2) answered, and whether by a signal. */
const CLOSER = `
import errno, os, signal, sys
signal.signal(signal.SIGINT, lambda *_: print("signal", flush=True))
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(fd, b"x" * 1000)
print("closing", flush=True)
try:
    os.close(fd)
    print("ok")
except OSError as error: print(errno.errorcode[error.errno])
`;

test(
  "no call hangs: it is answered in its bound, or by a signal",
  ["nodeA", "nodeB"],
  async (cluster) => {
    const [here, peer] = [cluster.node(0), cluster.node(1)];
    for (const signal of [true, false]) {
      await cluster.node(0).until("it can write", ({ quorate }) => quorate);
      peer.signal("SIGSTOP");
      const closer = new Deno.Command("python3", {
        args: ["-c", CLOSER, `${here.mount}/f${signal}`],
        stdout: "piped",
      }).spawn();
      const lines = linesOf(closer.stdout);
      assert.equal((await lines.next()).value, "closing");
      if (signal) {
        // It waits in the kernel for the mount's answer.
        const waits = () => Deno.readTextFileSync(`/proc/${closer.pid}/syscall`).split(" ")[0];
        while (waits() !== CLOSE_CALL) await pause(1);
        closer.kill("SIGINT");
        assert.equal((await lines.next()).value, "signal");
      }
      const answer = (await lines.next()).value ?? "";
      assert.ok((signal ? ["EINTR"] : ["ETIMEDOUT", "EAGAIN", "EROFS"]).includes(answer), answer);
      await closer.status;
      peer.signal("SIGCONT");
    }
    await here.until("it can write", ({ quorate }) => quorate);
    const after = await shell(cluster, "until printf new > $A/after; do :; done; cat $A/after");
    assert.equal(after.stdout, "new");
  },
);

/** Number of close(2). */
const CLOSE_CALL = Deno.build.arch === "aarch64" ? "57" : "3";
