/** The numbers and layouts that we give the kernel, against the headers of both machines. */
import assert from "node:assert/strict";
import { ABI } from "../../mod/host/ffi/abi.ts";
import * as block from "../../mod/host/ffi/block_ioctl.ts";
import { STATUS_AT } from "../../mod/host/ffi/clock_state.ts";
import * as file from "../../mod/host/ffi/file.ts";
import type { CStruct } from "../../mod/host/ffi/struct.ts";
import { IGNORE_KEY, PR_IOCTL } from "../../mod/host/scsi/pr_ioctl.ts";

type Machine = keyof typeof ABI;

const HEADERS = [
  ...["errno.h", "fcntl.h", "poll.h", "signal.h", "time.h", "unistd.h", "stddef.h", "stdint.h"],
  ...["sys/eventfd.h", "sys/mount.h", "sys/prctl.h", "sys/socket.h", "sys/syscall.h"],
  ...["sys/timex.h", "sys/ioctl.h", "linux/netlink.h", "netpacket/packet.h"],
  ...["scsi/sg.h", "linux/pr.h", "linux/watchdog.h"],
];
const COMPILERS: Readonly<Record<Machine, readonly string[]>> = {
  x86_64: ["x86_64-linux-gnu-gcc", ...(Deno.build.arch === "x86_64" ? ["cc"] : [])],
  aarch64: ["aarch64-linux-gnu-gcc", ...(Deno.build.arch === "aarch64" ? ["cc"] : [])],
};

/** Of linux/pr.h; READ_KEYS and READ_RESERVATION are younger than most headers. */
const PR_CALLS = {
  ...{ register: "REGISTER", reserve: "RESERVE", release: "RELEASE", preempt: "PREEMPT" },
  ...{ preemptAbort: "PREEMPT_ABORT", clear: "CLEAR" },
} as const;

const STRUCTS = {
  "struct sg_io_hdr": block.SG_IO_HDR,
  "struct pr_registration": block.PR_REGISTRATION,
  "struct pr_reservation": block.PR_RESERVATION,
  "struct pr_preempt": block.PR_PREEMPT,
  "struct pr_clear": block.PR_CLEAR,
};

/** A compiler for that machine with its headers, or why there is none. */
async function compilerOf(machine: Machine): Promise<{ readonly found: string } | string> {
  for (const found of COMPILERS[machine]) {
    const fault = await faultOf(found, HEADERS.map((each) => `#include <${each}>`).join("\n"));
    if (fault === null) return { found };
    if (fault !== "") return `${found}: ${fault.split("\n")[0]}`;
  }
  return `none of ${COMPILERS[machine].join(", ")} is there`;
}

/** What is wrong with a C text; null for nothing, "" where the compiler is not there. */
async function faultOf(compiler: string, text: string): Promise<string | null> {
  try {
    const child = new Deno.Command(compiler, {
      args: ["-D_GNU_SOURCE", "-fsyntax-only", "-x", "c", "-"],
      ...{ stdin: "piped", stdout: "null", stderr: "piped" },
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(text)).catch(() => {});
    await writer.close().catch(() => {});
    const { success, stderr } = await child.output();
    return success ? null : new TextDecoder().decode(stderr);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/** A C expression, and what we take it for. */
type Claim = readonly [expression: string, value: number];

function claimsOf(machine: Machine): Claim[] {
  const errnos = Object.entries(file).filter(([name]) => /^E[A-Z]+$/.test(name));
  const layout = (type: string, struct: CStruct<Readonly<Record<string, "u8">>>): Claim[] => [
    [`sizeof(${type})`, struct.sizeBytes],
    ...Object.entries(struct.offsets).map(([field, at]): Claim => [
      `offsetof(${type}, ${field})`,
      at,
    ]),
  ];
  return [
    ...Object.entries(ABI[machine]),
    ...errnos.map(([name, value]): Claim => [name, Number(value)]),
    ...Object.entries(PR_CALLS).map(([key, name]): Claim => [
      `IOC_PR_${name}`,
      PR_IOCTL[key as keyof typeof PR_CALLS],
    ]),
    ["PR_FL_IGNORE_KEY", IGNORE_KEY],
    ["offsetof(struct timex, status)", STATUS_AT],
    ["sizeof(struct watchdog_info)", 40],
    ["offsetof(struct watchdog_info, identity)", 8],
    ["sizeof(struct timespec)", 16],
    ["sizeof(struct pollfd)", 8],
    ["offsetof(struct pollfd, events)", 4],
    ["sizeof(struct sockaddr_nl)", 12],
    ["sizeof(struct sockaddr_ll)", 20],
    ["sizeof(struct packet_mreq)", 16],
    ...Object.entries(STRUCTS).flatMap(([type, struct]) => layout(type, struct as never)),
  ];
}

for (const machine of Object.keys(ABI) as Machine[]) {
  const compiler = await compilerOf(machine);
  const missing = typeof compiler === "string" ? compiler : null;
  if (missing !== null) console.log(`skipped  headers of ${machine}: ${missing}`);
  Deno.test({
    name: `what is said to the kernel of ${machine} is what its headers say`,
    ignore: missing !== null,
    fn: async () => {
      const { found } = compiler as { found: string };
      const head = HEADERS.map((each) => `#include <${each}>\n`).join("");
      // The libraries' constants may be enums: only the compiler knows them.
      const claim = ([expression, value]: Claim) =>
        `_Static_assert((long)(int)(${expression}) == (long)(int)${value}L, "${expression}");\n`;
      const claims = claimsOf(machine);
      assert.equal(await faultOf(found, head + claims.map(claim).join("")), null);
      // It is no test if the compiler takes anything for true.
      const wrong = head + claim(["O_DIRECT", ABI[machine].O_DIRECT + 1]);
      assert.match(await faultOf(found, wrong) ?? "", /static assertion failed.*O_DIRECT/);
    },
  });
}

Deno.test("both machines have the same names in the table", () => {
  assert.deepEqual(Object.keys(ABI.x86_64), Object.keys(ABI.aarch64));
});
