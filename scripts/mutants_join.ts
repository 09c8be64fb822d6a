/** Mutants of who is let in, and of the key that lets in. @module */
import type { Mutant } from "./mutant.ts";

const RENEWAL = "tests/join/renewal_test.ts";
const SESSIONS = "tests/config/session_test.ts";

/** See `mutants.ts`. */
export const JOIN_MUTANTS: readonly Mutant[] = [
  {
    name: "key used before it is durable",
    file: "join/renewal.ts",
    find: "      this.#storing = wanted;",
    put: "      this.#storing = this.#ring = wanted;",
    shape: RENEWAL,
    seeds: 1,
  },
  {
    name: "key used while it is offered",
    file: "join/key_note.ts",
    find: 'if (stage === "offer") return { clusterKey: old, otherKey: next };',
    put: 'if (stage === "offer") return { clusterKey: next, otherKey: old };',
    shape: RENEWAL,
    seeds: 1,
  },
  {
    name: "next stage before everybody said so",
    file: "join/key_note.ts",
    find:
      "return spec.members.filter(({ id }) => said(id) !== ackText(note)).map(({ name }) => name);",
    put: "return spec.members.filter(({ id }) => said(id) === null).map(({ name }) => name);",
    shape: "tests/sim/renewal_test.ts",
    seeds: 1,
  },
  {
    name: "session of the old key goes on",
    file: "config/tcp_driver.ts",
    find: "    this.#acceptor.keep(this.#keys);\n",
    put: "",
    shape: SESSIONS,
    seeds: 1,
  },
  {
    name: "old key good for who began before",
    file: "config/acceptor.ts",
    find: 'if (!keys.some((key) => equalSecrets(key, psk))) return refuse(session, "rekeyed");',
    put: "",
    shape: SESSIONS,
    seeds: 1,
  },
  {
    name: "revoked ticket lets in who waits",
    file: "join/core.ts",
    find: "        if (ticket !== id) continue;\n        this.#pending.delete(waiting);",
    put: "        if (ticket !== id) continue;",
    shape: "tests/join/join_test.ts",
    seeds: 1,
  },
  {
    name: "removed member keeps its SSH key",
    file: "join/authorized_keys.ts",
    find: "return owner === null || nodes.includes(owner);",
    put: "return owner !== null;",
    shape: "tests/join/ssh_parts_test.ts",
    seeds: 1,
  },
  {
    name: "directory of a group is used",
    file: "host/linux/own_directory.ts",
    find: "if ((found & OTHERS_MAY_WRITE) !== 0) {",
    put: "if ((found & 0o002) !== 0) {",
    shape: "tests/host/own_directory_test.ts",
    seeds: 1,
  },
];
