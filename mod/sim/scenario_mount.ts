/** Programs on the mounts of a story's hosts, and whoever renews its cluster's key. @module */
import { encodeText, toHex } from "../base/bytes.ts";
import { requestId } from "../base/id.ts";
import {
  KEY_FILE,
  keyId,
  noteAfter,
  offerOf,
  printNote,
  readNote,
  waitingFor,
} from "../join/mod.ts";
import type { Operation } from "../streams.ts";
import type { SimCluster, SimNode } from "./cluster.ts";
import type { OpenFile, SimProgram } from "./fuse_program.ts";
import type { Outcome } from "./fuse_walk.ts";
import { programOn } from "./lockers.ts";

/** The key that a story's cluster is given; its first one is the seed's. */
const NEXT_KEY = new Uint8Array(32).fill(0x5a);
const NONCE = new Uint8Array(12).fill(3);

/** What a story is told of a program's end. */
type Say = (node: SimNode, what: string) => void;

interface Held {
  readonly program: SimProgram;
  readonly file: OpenFile;
}

/** See the module's note. */
export class Programs {
  readonly #say: Say;
  readonly #held = new Map<string, Held>();
  #pids = 100;

  constructor(say: Say) {
    this.#say = say;
  }

  /**
   * `make` a directory, `unlock` one, `save` a file (open, write, close), `hold` one (open, write),
   * `drop` it: what was written through a mapping is RELEASEd without a FLUSH. Null: it was begun.
   */
  begin(verb: string, node: SimNode, [path = "", ...words]: readonly string[]): string | null {
    const program = programOn(node, ++this.#pids);
    if (program === null) return `nothing is mounted on ${node.name}; "cluster … mounted"`;
    const told = <T>(outcome: Outcome<T>) =>
      this.#say(node, `program ${verb} ${path}: ${outcome.ok ? "done" : outcome.errno}`);
    const bytes = encodeText(words.join(" "));
    const key = `${node.name} ${path}`;
    switch (verb) {
      case "make":
        return program.mkdir(path, told), null;
      case "unlock":
        return program.setattr(path, { mtime: 0 }, told), null;
      case "save":
        return program.writeFile(path, bytes, told), null;
      case "hold":
        program.open(path, { write: true, create: true }, (opened) => {
          if (!opened.ok) return told(opened);
          this.#held.set(key, { program, file: opened.value });
          program.write(opened.value, 0, bytes, told);
        });
        return null;
      default: {
        const held = this.#held.get(key);
        if (held === undefined) return `${key} is not held`;
        return held.program.drop(held.file), null;
      }
    }
  }
}

/** One look of whoever renews the key: it offers the next one, or goes on where all have done so. */
export function renewKey({ nodes }: SimCluster): string | null {
  const runtime = nodes.find(({ runtime }) => runtime?.board.position?.writable === true)?.runtime;
  if (!runtime) return "nobody can write";
  const { config, join } = runtime.node;
  const before = readNote(config.read(KEY_FILE));
  const waits = before === null
    ? []
    : waitingFor(before, runtime.spec, (path) => config.read(path));
  if (waits.length > 0) return `${waits.join(", ")} did not do yet what is asked`;
  const begins = before === null || (before.stage === "done" && before.id !== keyId(NEXT_KEY));
  const note = begins ? offerOf(NEXT_KEY, join.keys.clusterKey, NONCE) : noteAfter(before);
  const version = config.stat(KEY_FILE)?.version ?? 0;
  const operations: Operation[] = [
    ...(config.stat("priv") === null ? [{ op: "mkdir", path: "priv" } as const] : []),
    version === 0 ? { op: "create", path: KEY_FILE } : { op: "truncate", path: KEY_FILE, size: 0 },
    { op: "write", path: KEY_FILE, offset: 0, data: printNote(note) },
  ];
  const request = requestId(toHex(encodeText(note.stage)).padStart(16, "0").slice(-16));
  const transaction = {
    ...{ request, base: config.applied, expect: [{ path: KEY_FILE, version }], operations },
    ...{ author: "root", reason: "", time: 0 },
  };
  runtime.request({ request: "config.propose", tag: "key", transaction });
  return null;
}
