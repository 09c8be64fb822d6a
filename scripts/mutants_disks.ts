/** Mutants of reservations on real disks. @module */
import { type Mutant } from "./mutant.ts";

const OUTCOME = "tests/host/scsi_outcome_test.ts";
const CODEC = "tests/host/scsi_codec_test.ts";
const CHECK = "tests/host/scsi_check_test.ts";
const LAYOUT = "tests/host/block_ioctl_test.ts";

export const DISK_MUTANTS: readonly Mutant[] = [
  {
    name: "conflict of the block layer only where it is 18h",
    file: "host/scsi/pr_ioctl.ts",
    find: "if ((result & 0xff) === CONFLICT)",
    put: "if (result === CONFLICT)",
    shape: OUTCOME,
    seeds: 1,
  },
  {
    name: "status of the block layer taken for success",
    file: "host/scsi/pr_ioctl.ts",
    find: 'if (result === 0) return { end: "done" };',
    put: 'if (result >= 0 && (result & 0xff) !== CONFLICT) return { end: "done" };',
    shape: OUTCOME,
    seeds: 1,
  },
  {
    name: "unit attention taken for execution",
    file: "host/scsi/execute.ts",
    find: "if (attentions.length <= ATTENTIONS_MAX) continue;",
    put: "if (attentions.length <= 0) continue;",
    shape: OUTCOME,
    seeds: 1,
  },
  {
    name: "registers blindly after word of an ejection",
    file: "host/scsi/execute.ts",
    find: "if (registers && tellsOfEjection(attention))",
    put: "if (registers && attentions.length < 0)",
    shape: OUTCOME,
    seeds: 1,
  },
  {
    name: "sends again what was lost",
    file: "host/scsi/execute.ts",
    find: 'if (outcome.end === "busy") return true;',
    put: 'if (outcome.end === "busy" || outcome.end === "lost") return true;',
    shape: OUTCOME,
    seeds: 1,
  },
  {
    name: "reservation conflict with data counted as good",
    file: "host/scsi/outcome.ts",
    find: "if (status === RESERVATION_CONFLICT || hostStatus === NEXUS_FAILURE)",
    put: "if (hostStatus === NEXUS_FAILURE)",
    shape: OUTCOME,
    seeds: 1,
  },
  {
    name: "cut answer taken for a whole one",
    file: "host/scsi/reply.ts",
    find: "return reader.ok() ? { generation, keys } : null;",
    put: "return { generation, keys };",
    shape: CODEC,
    seeds: 1,
  },
  {
    name: "own key and victim's in each other's place",
    file: "host/scsi/command.ts",
    find: "bytes(keyBytes(key)).bytes(keyBytes(actionKey))",
    put: "bytes(keyBytes(actionKey)).bytes(keyBytes(key))",
    shape: CODEC,
    seeds: 1,
  },
  {
    name: "fields without their alignment",
    file: "host/ffi/struct.ts",
    find: "at = Math.ceil(at / size) * size;",
    put: "at = Math.ceil(at / 1) * 1;",
    shape: LAYOUT,
    seeds: 1,
  },
  {
    name: "disk proven by what was not seen",
    file: "host/scsi/check.ts",
    find: 'return needed.every(({ seen }) => seen === "yes") ? "fences" : "unproven";',
    put: 'return needed.length > 0 ? "fences" : "unproven";',
    shape: CHECK,
    seeds: 1,
  },
  {
    name: "result of the preempt not checked",
    file: "host/scsi/check.ts",
    find: "steps.push(step(ejects, ejected === null && alone, textOf(ejected)));",
    put: "steps.push(step(ejects, ejected === null, textOf(ejected)));",
    shape: CHECK,
    seeds: 1,
  },
];
