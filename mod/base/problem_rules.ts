/** Problems of HA rules, and of what a rehearsal shows; see `problem.ts`. @module */
import { EXIT, type ProblemKind } from "./exit.ts";

export const RULE_PROBLEMS = {
  "ha.no-such-rule": {
    title: "Cannot find that rule",
    remedy: "see pentad ha rules list",
    status: 404,
    exit: EXIT.notFound,
  },
  "ha.rule-exists": {
    title: "Cannot add: the rule exists",
    remedy: "change it with pentad ha rules set, or choose another name",
    status: 409,
    exit: EXIT.failed,
  },
  "ha.bad-rule": {
    title: "Cannot accept that rule",
    remedy: "see pentad help ha rules add for the options there are",
    status: 400,
    exit: EXIT.usage,
  },
  "ha.rule-conflict": {
    title: "Cannot hold both rules",
    remedy: "change, disable or remove one of the two: pentad ha rules list",
    status: 409,
    exit: EXIT.unsafe,
  },
  "ha.disarmed": {
    title: "Cannot order that: HA is disarmed",
    remedy: "end the maintenance first: pentad ha arm",
    status: 409,
    exit: EXIT.unsafe,
  },
  "ha.not-settled": {
    title: "Cannot disarm HA while something is on its way",
    remedy: "wait until it is at rest (pentad ha list, pentad node list), then repeat",
    status: 409,
    exit: EXIT.unsafe,
  },
  "ha.too-many": {
    title: "Cannot care for one resource more",
    remedy: "remove what is not needed: 10000 at most, fewer where their names are long",
    status: 409,
    exit: EXIT.failed,
  },
  "ha.not-reached": {
    title: "Cannot reach what was wanted",
    remedy: "see why in pentad ha log and pentad ha show; mend it, and order it again",
    status: 409,
    exit: EXIT.failed,
  },
  "ha.not-dead": {
    title: "Cannot count that node as dead",
    remedy:
      "switch it off and look that it is, then: pentad node confirm-dead NODE --yes; a former " +
      "node whose name a member bears is called by its number, as pentad status does",
    status: 409,
    exit: EXIT.unsafe,
  },
  "node.not-ok-to-stop": {
    title: "Cannot stop that node without harm",
    remedy: "bring back what is down, or make room first; see pentad node list, pentad ha list",
    status: 409,
    exit: EXIT.unsafe,
  },
} as const satisfies Readonly<Record<string, ProblemKind>>;
