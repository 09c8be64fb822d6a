/** The two messages of a join: hello, and welcome or refusal. @module */
import { CLUSTER_SPEC, type ClusterSpec, LINKS_MAX, specFault } from "../base/cluster.ts";
import { type NodeId, nodeId } from "../base/id.ts";
import { type Problem, type ProblemCode, PROBLEMS } from "../base/problem.ts";
import { bytes, decode, encode, list, struct, text, u16, union } from "../base/schema.ts";
import { KEY_BYTES } from "../base/seal.ts";

/** Version of these messages; a member refuses any other by name. */
export const JOIN_VERSION = 1;

const HELLO = struct({
  version: u16,
  name: text(63),
  links: list(text(255), LINKS_MAX),
  peer: text(255),
});

const ANSWER = union({
  welcome: [1, struct({ node: u16, clusterKey: bytes(KEY_BYTES), spec: CLUSTER_SPEC })],
  refused: [2, struct({ code: text(63), why: text(1000) })],
});

/** What a machine that wants to join says of itself. */
export interface Hello {
  readonly version: number;
  readonly name: string;
  readonly links: readonly string[];
  readonly peer: string;
}

/** What the member answers. */
export type Answer =
  | {
    readonly kind: "welcome";
    readonly node: NodeId;
    readonly clusterKey: Uint8Array;
    readonly spec: ClusterSpec;
  }
  | { readonly kind: "refused"; readonly problem: Problem };

/** Bytes of a hello. */
export function encodeHello(hello: Hello): Uint8Array {
  return encode(HELLO, hello);
}

/** A hello out of hostile bytes, or null. */
export function decodeHello(input: Uint8Array): Hello | null {
  return decode(HELLO, input);
}

/** Bytes of an answer. */
export function encodeAnswer(answer: Answer): Uint8Array {
  return answer.kind === "welcome" ? encode(ANSWER, answer) : encode(ANSWER, {
    kind: "refused",
    code: answer.problem.code,
    why: answer.problem.why.slice(0, 250),
  });
}

/** An answer out of hostile bytes, or null. */
export function decodeAnswer(input: Uint8Array): Answer | null {
  const answer = decode(ANSWER, input);
  if (answer === null) return null;
  if (answer.kind === "refused") {
    // "in" would find what every object inherits: "toString" is no code.
    const known = Object.hasOwn(PROBLEMS, answer.code);
    const code = known ? answer.code as ProblemCode : "join.refused";
    return { kind: "refused", problem: { code, why: answer.why } };
  }
  if (answer.clusterKey.length !== KEY_BYTES || answer.node < 1) return null;
  if (specFault(answer.spec) !== null) return null;
  return { ...answer, node: nodeId(answer.node), clusterKey: answer.clusterKey.slice() };
}
