import assert from "node:assert/strict";
import { clusterId, nodeId } from "../../mod/base/id.ts";
import {
  DISK_BYTES_MIN,
  freshBlocks,
  HEAD_BYTES,
  inspect,
  TAIL_BYTES,
} from "../../mod/storage/format.ts";
import { BLOCK_BYTES } from "../../mod/storage/block.ts";
import { decodeRegister, LABEL_BLOCK } from "../../mod/storage/layout.ts";

const CLUSTER = clusterId("ab".repeat(16));
const INPUT = {
  uuid: "00112233445566778899aabbccddeeff",
  cluster: CLUSTER,
  clusterName: "pair",
  self: nodeId(1),
  wallSeconds: 1_700_000_000,
};

function nameOf(offset: number, magic: string, inTail = false): string {
  const head = new Uint8Array(HEAD_BYTES);
  const tail = new Uint8Array(TAIL_BYTES);
  const where = inTail ? tail : head;
  where.set(
    Uint8Array.from(magic, (each) => each.charCodeAt(0)),
    inTail ? TAIL_BYTES + offset : offset,
  );
  const content = inspect(head, tail);
  return content.content === "foreign" ? content.name : content.content;
}

Deno.test("inspect() names what a disk carries", () => {
  const table: readonly (readonly [string, number, string])[] = [
    ["ext2/3/4", 1080, "\x53\xef"],
    ["XFS", 0, "XFSB"],
    ["Btrfs", 65600, "_BHRfS_M"],
    ["LVM2", 536, "LVM2 001"],
    ["GPT", 512, "EFI PART"],
    ["MBR partition table", 510, "\x55\xaa"],
    ["GFS2", 65536, "\x01\x16\x19\x70"],
    ["OCFS2", 8192, "OCFSV2"],
    ["SBD", 0, "SBD_SBD_"],
    ["sanlock lockspace", 0, "\x10\x20\x21\x12"],
    ["swap", 4086, "SWAPSPACE2"],
    ["LUKS", 0, "LUKS\xba\xbe"],
    ["unknown data", 100_000, "x"],
  ];
  for (const [name, offset, magic] of table) assert.equal(nameOf(offset, magic), name);
  assert.equal(nameOf(-512, "EFI PART", true), "GPT");
  assert.equal(nameOf(-1, "x", true), "unknown data");
  assert.equal(nameOf(0, "PENT"), "a damaged or newer pentad label");
});

Deno.test("inspect() calls only zeros empty, however short", () => {
  assert.deepEqual(inspect(new Uint8Array(HEAD_BYTES), new Uint8Array(TAIL_BYTES)), {
    content: "empty",
  });
  assert.deepEqual(inspect(new Uint8Array(0), new Uint8Array(0)), { content: "empty" });
});

Deno.test("freshBlocks() makes a disk that inspect() knows, label last", () => {
  const disk = new Uint8Array(DISK_BYTES_MIN).fill(0xee);
  const writes = freshBlocks(INPUT);
  for (const { offset, bytes } of writes.slice(0, -1)) disk.set(bytes, offset);
  assert.equal(inspect(disk.subarray(0, HEAD_BYTES), new Uint8Array(0)).content, "foreign");
  const last = writes.at(-1);
  assert.equal(last?.offset, LABEL_BLOCK * BLOCK_BYTES);
  for (const { offset, bytes } of writes) disk.set(bytes, offset);
  assert.deepEqual(inspect(disk.subarray(0, HEAD_BYTES), disk.subarray(-TAIL_BYTES)), {
    content: "pentad",
    uuid: INPUT.uuid,
    cluster: CLUSTER,
    clusterName: "pair",
  });
  const register = decodeRegister(disk.slice(BLOCK_BYTES, 2 * BLOCK_BYTES), INPUT.uuid);
  assert.ok(register.found === "ok");
  assert.deepEqual(register.value.set, [1]);
  assert.ok(disk.subarray(2 * BLOCK_BYTES).every((byte) => byte === 0));
});
