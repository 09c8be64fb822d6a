/** Structures of disk calls, held against the headers by the C compiler; devices found in sysfs. */
import assert from "node:assert/strict";
import {
  PR_CLEAR,
  PR_PREEMPT,
  PR_READ_KEYS,
  PR_READ_RESERVATION,
  PR_REGISTRATION,
  PR_RESERVATION,
  SG_IO_HDR,
} from "../../mod/host/ffi/block_ioctl.ts";
import { CStruct } from "../../mod/host/ffi/struct.ts";
import { placeOf } from "../../mod/host/linux/device_place.ts";
import { PR_IOCTL } from "../../mod/host/scsi/pr_ioctl.ts";

Deno.test("CStruct gives each field its natural alignment, and reads what it wrote", () => {
  const mixed = new CStruct({ a: "u8", b: "u64", c: "u16", d: "i32" } as const);
  assert.deepEqual(mixed.offsets, { a: 0, b: 8, c: 16, d: 20 });
  assert.equal(mixed.sizeBytes, 24);
  const bytes = mixed.encode({ a: 1, b: 2n ** 63n, d: -2 });
  assert.equal(mixed.get(bytes, "b"), 2n ** 63n);
  assert.deepEqual([mixed.get(bytes, "a"), mixed.get(bytes, "c"), mixed.get(bytes, "d")], [
    1,
    0,
    -2,
  ]);
});

Deno.test("struct sg_io_hdr and linux/pr.h lie as on x86-64 and arm64", () => {
  // scsi/sg.h, LP64.
  const { sizeBytes, offsets } = SG_IO_HDR;
  assert.equal(sizeBytes, 88);
  assert.deepEqual(
    [offsets.dxferp, offsets.timeout, offsets.usr_ptr, offsets.status, offsets.host_status],
    [16, 40, 56, 64, 68],
  );
  assert.deepEqual([offsets.resid, offsets.info], [72, 80]);
  const sizes = [PR_REGISTRATION, PR_RESERVATION, PR_PREEMPT, PR_CLEAR, PR_READ_KEYS]
    .map((each) => each.sizeBytes);
  assert.deepEqual(sizes, [24, 16, 24, 16, 16]);
  // _IOC(direction, 'p', number, size) of asm-generic/ioctl.h.
  const ioc = (direction: number, number: number, size: number) =>
    direction * 2 ** 30 + size * 2 ** 16 + 0x70 * 2 ** 8 + number;
  assert.deepEqual(PR_IOCTL, {
    register: ioc(1, 200, PR_REGISTRATION.sizeBytes),
    reserve: ioc(1, 201, PR_RESERVATION.sizeBytes),
    release: ioc(1, 202, PR_RESERVATION.sizeBytes),
    preempt: ioc(1, 203, PR_PREEMPT.sizeBytes),
    preemptAbort: ioc(1, 204, PR_PREEMPT.sizeBytes),
    clear: ioc(1, 205, PR_CLEAR.sizeBytes),
    readKeys: ioc(3, 206, PR_READ_KEYS.sizeBytes),
    readReservation: ioc(2, 207, PR_READ_RESERVATION.sizeBytes),
  });
});

Deno.test("structures lie where this machine's C compiler puts them", async () => {
  const missing = await new Deno.Command("gcc", { args: ["--version"] }).output()
    .then(({ success }) => success ? null : "gcc fails", () => "no gcc");
  if (missing !== null) return console.log(`skipped: ${missing}`);
  const structs = { sg_io_hdr: SG_IO_HDR, pr_registration: PR_REGISTRATION, pr_clear: PR_CLEAR };
  const more = { pr_reservation: PR_RESERVATION, pr_preempt: PR_PREEMPT };
  const folder = await Deno.makeTempDir({ prefix: "pentad-struct-" });
  try {
    const lines: string[] = [];
    const expected: string[] = [];
    for (const [name, { sizeBytes, offsets }] of Object.entries({ ...structs, ...more })) {
      lines.push(`printf("${name} %zu\\n", sizeof(struct ${name}));`);
      expected.push(`${name} ${sizeBytes}`);
      for (const [field, at] of Object.entries(offsets)) {
        lines.push(`printf("${name}.${field} %zu\\n", offsetof(struct ${name}, ${field}));`);
        expected.push(`${name}.${field} ${at}`);
      }
    }
    const heads = ["stdio.h", "stddef.h", "scsi/sg.h", "linux/types.h", "linux/pr.h"];
    const source = heads.map((head) => `#include <${head}>\n`).join("") +
      `int main(void) { ${lines.join("\n")} return 0; }\n`;
    await Deno.writeTextFile(`${folder}/layout.c`, source);
    const built = await new Deno.Command("gcc", {
      args: ["-o", `${folder}/layout`, `${folder}/layout.c`],
    }).output();
    if (!built.success) return console.log("skipped: gcc has no kernel headers");
    const { stdout } = await new Deno.Command(`${folder}/layout`).output();
    assert.deepEqual(new TextDecoder().decode(stdout).trim().split("\n"), expected);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** A sysfs with these files (text) and folders (null). */
async function withSys(
  tree: Readonly<Record<string, string | null>>,
  body: (sys: string) => void,
): Promise<void> {
  const sys = await Deno.makeTempDir({ prefix: "pentad-sys-" });
  try {
    for (const [path, text] of Object.entries(tree)) {
      const folder = text === null ? path : path.replace(/\/[^/]*$/, "");
      await Deno.mkdir(`${sys}/${folder}`, { recursive: true });
      if (text !== null) await Deno.writeTextFile(`${sys}/${path}`, text);
    }
    body(sys);
  } finally {
    await Deno.remove(sys, { recursive: true });
  }
}

/** sys/sysmacros.h, gnu_dev_makedev */
function makedev(major: number, minor: number): number {
  return (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12);
}

Deno.test("placeOf() finds the paths of a multipath disk, and a generic device's disk", async () => {
  await withSys({
    "dev/block/253:0/dm/uuid": "mpath-36001405abc\n",
    "dev/block/253:0/slaves/sdb": null,
    "dev/block/253:0/slaves/sda": null,
    "dev/block/253:1/dm/uuid": "LVM-abc\n",
    "dev/block/253:1/slaves/sda": null,
    "dev/block/8:1/partition": "1\n",
    "dev/block/8:0/device/vendor": "LIO-ORG\n",
    "dev/block/259:300/device/nvme0": null,
    "class/scsi_generic/sg3/device/block/sdc": null,
    "class/scsi_generic/sg4/device": null,
    "dev/block/253:9/dm/uuid": "mpath-gone\n",
    "dev/block/253:9/slaves": null,
  }, (sys) => {
    const place = (path: string, major: number, minor: number) =>
      placeOf(path, makedev(major, minor), sys);
    assert.deepEqual(place("/dev/dm-0", 253, 0), {
      ...{ kind: "scsi", data: "/dev/dm-0", paths: ["/dev/sda", "/dev/sdb"] },
    });
    // Any other mapped device is no multipath: commands go to itself.
    assert.deepEqual(place("/dev/dm-1", 253, 1), {
      ...{ kind: "scsi", data: "/dev/dm-1", paths: ["/dev/dm-1"] },
    });
    const plain = { kind: "scsi", data: "/dev/sda", paths: ["/dev/sda"] };
    assert.deepEqual(place("/dev/sda", 8, 0), plain);
    assert.equal((place("/dev/nvme0n1", 259, 300) as { kind: string }).kind, "nvme");
    assert.deepEqual(place("/dev/sg3", 21, 3), {
      ...{ kind: "scsi", data: "/dev/sdc", paths: ["/dev/sg3"] },
    });
    for (const [path, major, minor] of [["/dev/sda1", 8, 1], ["/dev/sg4", 21, 4]] as const) {
      const refused = place(path, major, minor);
      assert.equal("failure" in refused && refused.failure, "unsupported", path);
    }
    const gone = place("/dev/dm-9", 253, 9);
    assert.equal("failure" in gone && gone.failure, "absent");
  });
});
