/**
 * `storage format` against what the tools of others really write. Each is made with its own tool on a
 * file, or on a loop device of 512 and of 4096 bytes a sector; a tool that is missing is told.
 */
import assert from "node:assert/strict";
import { clusterId, nodeId } from "../../mod/base/id.ts";
import { ProblemError } from "../../mod/base/problem.ts";
import { formatDisk } from "../../mod/daemon/format_disk.ts";
import { openWorkerDisk } from "../../mod/host/linux/device_disk.ts";
import type { Disk, DiskFailure, DiskPort } from "../../mod/host/ports.ts";
import { BLOCK_BYTES, decodeLabel } from "../../mod/storage/mod.ts";

const MIB = 1024 * 1024;
const ASK = {
  cluster: clusterId("ab".repeat(16)),
  clusterName: "pair",
  self: nodeId(1),
  with: [],
  commit: true,
} as const;
const ROOT = Deno.uid() === 0;

/** The disk of a worker process, without the process. */
class DirectPort implements DiskPort {
  open(path: string, done: (result: Disk | DiskFailure) => void): void {
    const lun = openWorkerDisk(path, "1".repeat(16));
    if ("failure" in lun) return done(lun);
    const unused = () => assert.fail("a format only reads and writes");
    done({
      ...{ kind: lun.kind, sizeBytes: lun.sizeBytes },
      read: (offset, length, answer) => answer(lun.read(offset, length)),
      write: (offset, bytes, answer) => answer(lun.write(offset, bytes)),
      ...{ register: unused, unregister: unused, reserve: unused, preempt: unused },
      ...{ command: unused, inspect: unused, tryWrite: unused, readReservations: unused },
      close: () => lun.close(),
    } as Disk);
  }
}

function run(command: string, stdin = ""): string | null {
  const child = new Deno.Command("sh", {
    args: ["-c", `printf '%s' "$1" | { ${command}; }`, "sh", stdin],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).outputSync();
  const text = new TextDecoder();
  return child.success ? text.decode(child.stdout).trim() : null;
}

function has(tool: string): boolean {
  return run(`command -v ${tool}`) !== null;
}

/** A zeroed file, or a loop device over one, for as long as `body` runs. */
async function withDisk(
  { bytes, sector }: { readonly bytes: number; readonly sector: number | null },
  body: (path: string) => Promise<void>,
): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-signature-" });
  const file = `${folder}/disk`;
  Deno.writeFileSync(file, new Uint8Array(0));
  Deno.truncateSync(file, bytes);
  const loop = sector === null ? null : run(`losetup -f --show --sector-size ${sector} ${file}`);
  try {
    await body(loop ?? file);
  } finally {
    if (loop !== null) run(`losetup -d ${loop}`);
    Deno.removeSync(folder, { recursive: true });
  }
}

async function refusal(path: string): Promise<string> {
  try {
    await formatDisk(new DirectPort(), path, ASK);
  } catch (error) {
    assert.ok(error instanceof ProblemError);
    return `${error.problem.code}: ${error.problem.why}`;
  }
  return "labelled";
}

interface Made {
  readonly name: string;
  /** `$D` is the disk. The tool is the first word. */
  readonly make: string;
  readonly stdin?: string;
  readonly mib?: number;
  readonly block?: boolean;
}

const MADE: readonly Made[] = [
  { name: "ext2/3/4", make: "mkfs.ext4 -q -F $D" },
  { name: "XFS", make: "mkfs.xfs -q -f $D", mib: 320 },
  { name: "Btrfs", make: "mkfs.btrfs -q -f $D", mib: 320 },
  { name: "GPT", make: "sfdisk -q $D", stdin: "label: gpt\n,10M\n" },
  { name: "MBR partition table", make: "sfdisk -q $D", stdin: "label: dos\n,10M\n" },
  {
    name: "LUKS",
    make: "cryptsetup -q luksFormat --type luks1 --pbkdf-force-iterations 1000 $D -",
    stdin: "secret",
  },
  {
    name: "LUKS",
    make: "cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 $D -",
    stdin: "secret",
  },
  { name: "swap", make: "mkswap -q $D" },
  { name: "FAT", make: "mkfs.fat -F 32 $D", mib: 320 },
  { name: "FAT", make: "mkfs.fat -F 16 $D", mib: 20 },
  { name: "NTFS", make: "mkntfs -q -F $D" },
  { name: "F2FS", make: "mkfs.f2fs -q $D", mib: 128 },
  { name: "NILFS2", make: "mkfs.nilfs2 -q -f $D", mib: 160 },
  { name: "bcache", make: "make-bcache -B $D" },
  { name: "GFS2", make: "mkfs.gfs2 -O -p lock_nolock $D", mib: 320 },
  { name: "OCFS2", make: "mkfs.ocfs2 -q -F -N 2 -b 4096 -C 4096 -M local $D", mib: 320 },
  { name: "SBD", make: "sbd -d $D create", block: true },
  { name: "sanlock lockspace", make: "sanlock direct init -s LS:0:$D:0" },
  { name: "sanlock resource", make: "sanlock direct init -r LS:RES:$D:0" },
  {
    name: "LVM2",
    make: "pvcreate -q -y --config 'devices{use_devicesfile=0 scan=[\"/dev\"]}' $D",
    block: true,
  },
  { name: "ISO 9660", make: "genisoimage -quiet -o $D /etc/hostname && truncate -s 64M $D" },
];

for (const { name, make, stdin = "", mib = 64, block = false } of MADE) {
  const [tool = ""] = make.split(" ");
  const why = !has(tool) ? `${tool} is not installed` : block && !ROOT ? "not root" : null;
  if (why !== null) console.log(`skipped: what ${tool} makes: ${why}`);
  Deno.test({
    name: `formatDisk() refuses what "${make.replace(" $D", "")}" makes, and leaves it`,
    ignore: why !== null,
    fn: () =>
      withDisk({ bytes: mib * MIB, sector: block ? 512 : null }, async (path) => {
        assert.notEqual(run(make.replaceAll("$D", path), stdin), null, "the tool succeeds");
        const before = run(`cksum < ${path}`);
        assert.equal(await refusal(path), `storage.foreign-disk: "${path}" carries: ${name}`);
        assert.equal(run(`cksum < ${path}`), before);
      }),
  });
}

// The kernel of a test host may know no RAID, and then mdadm can make none: the superblock's magic is
// put where md_p.h and mdadm's super0.c and super1.c have it.
const SIZE = 64 * MIB + 12 * 1024;
const RAID: readonly (readonly [string, number])[] = [
  ["0.90", Math.floor(SIZE / 65536) * 65536 - 65536],
  ["1.0", Math.floor((SIZE - 8192) / 4096) * 4096],
  ["1.1", 0],
  ["1.2", 4096],
];
for (const [version, at] of RAID) {
  Deno.test(`formatDisk() refuses a member of a RAID with metadata ${version}`, () =>
    withDisk({ bytes: SIZE, sector: null }, async (path) => {
      using file = Deno.openSync(path, { write: true });
      file.seekSync(at, Deno.SeekMode.Start);
      file.writeSync(Uint8Array.of(0xfc, 0x4e, 0x2b, 0xa9));
      assert.match(await refusal(path), /carries: Linux RAID$/);
    }));
}

Deno.test("formatDisk() refuses a single byte anywhere that it would overwrite", async () => {
  for (const at of [0, 511, 300_000, 4 * MIB]) {
    await withDisk({ bytes: 64 * MIB, sector: null }, async (path) => {
      using file = Deno.openSync(path, { write: true });
      file.seekSync(at, Deno.SeekMode.Start);
      file.writeSync(Uint8Array.of(1));
      assert.match(await refusal(path), /carries: unknown data$/, `at ${at}`);
    });
  }
});

if (!ROOT) console.log("skipped: formatDisk() on loop devices: not root");
for (const sector of [512, 4096]) {
  Deno.test({
    name: `formatDisk() labels an empty device of ${sector} bytes a sector, once, after a dry run`,
    ignore: !ROOT,
    fn: () =>
      withDisk({ bytes: 16 * MIB, sector }, async (path) => {
        const port = new DirectPort();
        const dry = await formatDisk(port, path, { ...ASK, commit: false });
        assert.equal(dry.found, "nothing");
        assert.equal(run(`cmp -n ${16 * MIB} ${path} /dev/zero`), "", "a dry run writes nothing");
        const { uuid } = await formatDisk(port, path, ASK);
        assert.deepEqual(await formatDisk(port, path, ASK), {
          uuid,
          found: "this cluster's label",
        });
        const label = decodeLabel(Deno.readFileSync(path).subarray(0, BLOCK_BYTES));
        assert.ok(label.found === "ok" && label.value.uuid === uuid);
        const other = { ...ASK, cluster: clusterId("cd".repeat(16)) };
        await assert.rejects(formatDisk(port, path, other), /belongs|carries the label of cluster/);
      }),
  });
}

Deno.test("formatDisk() labels several disks as one group, or none of them", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-signature-" });
  try {
    const paths = ["a", "b", "c"].map((name) => `${folder}/${name}`);
    for (const path of paths) {
      Deno.writeFileSync(path, new Uint8Array(0));
      Deno.truncateSync(path, 8 * MIB);
    }
    const [first = "", ...others] = paths;
    const labels = () =>
      paths.map((path) => {
        const found = decodeLabel(Deno.readFileSync(path).subarray(0, BLOCK_BYTES));
        return found.found === "ok" ? found.value.group.join() : found.found;
      });
    const port = new DirectPort();
    const even = { ...ASK, with: others.slice(1) };
    await assert.rejects(formatDisk(port, first, even), /an odd number/);
    await assert.rejects(formatDisk(port, first, { ...ASK, with: [first, first] }), /odd number/);
    using last = Deno.openSync(paths[2] ?? "", { write: true });
    last.writeSync(Uint8Array.of(1));
    await assert.rejects(formatDisk(port, first, { ...ASK, with: others }), /unknown data/);
    assert.deepEqual(labels(), ["blank", "blank", "foreign"]);
    last.seekSync(0, Deno.SeekMode.Start);
    last.writeSync(Uint8Array.of(0));
    const { uuid } = await formatDisk(port, first, { ...ASK, with: others });
    const [group = "", ...rest] = labels();
    assert.deepEqual(rest, [group, group]);
    assert.ok(group.split(",").length === 3 && group.includes(uuid));
    await assert.rejects(formatDisk(port, first, { ...ASK, with: others }), /labelled already/);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
