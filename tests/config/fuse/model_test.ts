/**
 * Random programs through the mount and through a plain file system of maps: the same answers, and in
 * the end the same files. Files are closed before anything else looks at them, so that what is seen is
 * what is committed; what happens while they are open is `atomic_test.ts`'s.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Bench, type Seat } from "./bench.ts";
import { CUT, type Fd, READ, split, System, WRITE } from "./system.ts";

/** A file system as POSIX has it, as far as the mount goes along. */
class Model {
  readonly files = new Map<string, { text: string }>();
  readonly directories = new Set<string>([""]);

  kind(path: string): "file" | "directory" | null {
    return this.directories.has(path) ? "directory" : this.files.has(path) ? "file" : null;
  }

  /** Why a path cannot be reached; null where its directory is there. */
  reach(path: string): string | null {
    const names = path.split("/");
    for (let at = 1; at < names.length; at++) {
      const kind = this.kind(names.slice(0, at).join("/"));
      if (kind !== "directory") return kind === null ? "ENOENT" : "ENOTDIR";
    }
    return null;
  }

  isEmpty(path: string): boolean {
    const prefix = `${path}/`;
    return ![...this.files.keys(), ...this.directories].some((each) => each.startsWith(prefix));
  }

  write(path: string, { mode, offset, text }: Write): string {
    const why = this.reach(path);
    if (why !== null) return why;
    if (this.kind(path) === "directory") return "EISDIR";
    const file = this.files.get(path) ?? { text: "" };
    this.files.set(path, file);
    const old = mode === "cut" ? "" : file.text;
    const at = mode === "append" ? old.length : offset;
    const padded = old.padEnd(at, "\0");
    file.text = padded.slice(0, at) + text + padded.slice(at + text.length);
    return "ok";
  }

  truncate(path: string, size: number): string {
    const why = this.reach(path);
    if (why !== null) return why;
    const file = this.files.get(path);
    if (file === undefined) return this.kind(path) === null ? "ENOENT" : "EISDIR";
    file.text = file.text.slice(0, size).padEnd(size, "\0");
    return "ok";
  }

  mkdir(path: string): string {
    const why = this.reach(path);
    if (why !== null) return why;
    if (this.kind(path) !== null) return "EEXIST";
    this.directories.add(path);
    return "ok";
  }

  unlink(path: string): string {
    const why = this.reach(path);
    if (why !== null) return why;
    if (this.kind(path) === "directory") return "EISDIR";
    return this.files.delete(path) ? "ok" : "ENOENT";
  }

  rmdir(path: string): string {
    const why = this.reach(path);
    if (why !== null) return why;
    const kind = this.kind(path);
    if (kind !== "directory") return kind === null ? "ENOENT" : "ENOTDIR";
    if (!this.isEmpty(path)) return "ENOTEMPTY";
    this.directories.delete(path);
    return "ok";
  }

  rename(path: string, to: string): string {
    const why = this.reach(path) ?? this.reach(to);
    if (why !== null) return why;
    const kind = this.kind(path);
    if (kind === null) return "ENOENT";
    if (path === to) return "ok";
    if (kind === "directory" && !this.isEmpty(path)) return "ENOTEMPTY";
    if (to.startsWith(`${path}/`)) return "EINVAL";
    const target = this.kind(to);
    if (target !== null && target !== kind) return target === "directory" ? "EISDIR" : "ENOTDIR";
    if (kind === "directory") {
      if (target !== null && !this.isEmpty(to)) return "ENOTEMPTY";
      this.directories.delete(path);
      this.directories.add(to);
      return "ok";
    }
    const file = this.files.get(path) ?? assert.fail();
    this.files.delete(path);
    this.files.set(to, file);
    return "ok";
  }
}

interface Write {
  readonly mode: "cut" | "append" | "over";
  readonly offset: number;
  readonly text: string;
}

type Step =
  | { readonly step: "write"; readonly path: string } & Write
  | { readonly step: "truncate"; readonly path: string; readonly size: number }
  | { readonly step: "mkdir" | "rmdir" | "unlink"; readonly path: string }
  | { readonly step: "rename"; readonly path: string; readonly to: string };

const PATH = fc.constantFrom("a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "b/x");
const STEP: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    step: fc.constant("write" as const),
    path: PATH,
    mode: fc.constantFrom("cut" as const, "append" as const, "over" as const),
    offset: fc.nat(6),
    text: fc.string({ unit: fc.constantFrom("x", "y", "z"), minLength: 1, maxLength: 5 }),
  }),
  fc.record({ step: fc.constant("truncate" as const), path: PATH, size: fc.nat(8) }),
  fc.record({ step: fc.constantFrom("mkdir", "rmdir", "unlink"), path: PATH }),
  fc.record({ step: fc.constant("rename" as const), path: PATH, to: PATH }),
);

/** A step as a program does it. A path that leads through what is none is answered by the kernel. */
function perform(system: System, model: Model, step: Step): string {
  const paths = step.step === "rename" ? [step.path, step.to] : [step.path];
  const blocked = paths.find((path) => model.reach(path) !== null);
  if (blocked !== undefined) return String(system.stat(blocked));
  switch (step.step) {
    case "write": {
      const flags = step.mode === "cut" ? CUT : { ...WRITE, append: step.mode === "append" };
      const fd = system.open(step.path, flags, true);
      if (typeof fd === "string") return fd;
      const written = system.write(fd, step.text, step.offset);
      const closed = system.close(fd);
      return written === "ok" ? closed : written;
    }
    case "truncate": {
      const found = system.stat(step.path);
      return typeof found === "string" ? found : system.truncate(step.path, step.size);
    }
    case "mkdir":
      return system.mkdir(step.path);
    case "rmdir":
      return system.rmdir(step.path);
    case "unlink":
      return system.unlink(step.path);
    case "rename":
      return system.rename(step.path, step.to);
  }
}

function modelled(model: Model, step: Step): string {
  switch (step.step) {
    case "write":
      return model.write(step.path, step);
    case "truncate":
      return model.truncate(step.path, step.size);
    case "rename":
      return model.rename(step.path, step.to);
    default:
      return model[step.step](step.path);
  }
}

function compare(system: System, model: Model): void {
  for (const [path, { text }] of model.files) assert.equal(system.cat(path), text, path);
  for (const directory of model.directories) {
    const names = system.list(directory);
    assert.ok(typeof names !== "string", directory);
    const shown = names.filter((name) =>
      directory !== "" || !/^(\.|local|lxc|qemu|openvz)/.test(name)
    );
    const wanted = [...model.files.keys(), ...model.directories]
      .filter((path) => path !== "" && split(path).directory === directory)
      .map((path) => split(path).name);
    assert.deepEqual(shown.sort(), wanted.sort(), directory);
  }
}

Deno.test("random programs on two nodes see one file system, the model's", () => {
  const steps = fc.array(fc.tuple(fc.boolean(), STEP), { maxLength: 40, size: "max" });
  fc.assert(
    fc.property(steps, (program) => {
      const bench = new Bench(2);
      const systems = bench.seats.map((seat) => new System(seat));
      const model = new Model();
      for (const [second, step] of program) {
        const system = systems[second ? 1 : 0] ?? assert.fail();
        const answer = perform(system, model, step);
        assert.equal(answer, modelled(model, step), JSON.stringify(step));
      }
      for (const system of systems) compare(system, model);
      assert.equal(bench.seat(1).replica.crc, bench.seat(2).replica.crc);
    }),
    { numRuns: 300 },
  );
});

/** Opens, writes, closes and removals in any order, with commits and refusals in between. */
type Act =
  | { readonly act: "open"; readonly path: string; readonly cut: boolean }
  | { readonly act: "write"; readonly text: string; readonly offset: number }
  | { readonly act: "flush" | "release" | "unlink" | "commit" | "refuse" | "pass" | "elsewhere" }
  | { readonly act: "rename"; readonly to: string };

const ACT: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ act: fc.constant("open" as const), path: PATH, cut: fc.boolean() }),
  fc.record({ act: fc.constant("write" as const), text: fc.string(), offset: fc.nat(9) }),
  fc.record({
    act: fc.constantFrom("flush", "release", "unlink", "commit", "refuse", "pass", "elsewhere"),
  }),
  fc.record({ act: fc.constant("rename" as const), to: PATH }),
);

function act(bench: Bench, seat: Seat, open: { fd: Fd; path: string }[], step: Act): void {
  const last = open.at(-1);
  const system = new System(seat);
  const owner = 1n;
  switch (step.act) {
    case "open": {
      const fd = system.open(step.path, step.cut ? CUT : { ...WRITE, read: true }, true);
      if (typeof fd !== "string") open.push({ fd, path: step.path });
      return;
    }
    case "commit":
      return bench.waiting.length > 0 ? bench.commit() : undefined;
    case "refuse":
      return bench.waiting[0]?.from ? bench.refuse("config.unknown-outcome") : undefined;
    case "pass":
      return bench.pass(2000);
    case "elsewhere":
      return bench.elsewhere({ op: "create", path: "d/e/a" }, { op: "create", path: "a" });
    default:
      if (last === undefined) return;
  }
  const { node, handle } = last.fd;
  if (step.act === "write") system.write(last.fd, step.text, step.offset);
  else if (step.act === "flush") seat.ask(node, { call: "flush", handle, owner });
  else if (step.act === "release") {
    seat.ask(node, { call: "release", handle, flockOwner: null });
    open.pop();
  } else {
    const parent = system.stat(split(last.path).directory);
    if (typeof parent === "string") return;
    const { name } = split(last.path);
    if (step.act === "unlink") seat.ask(parent.node, { call: "unlink", name });
    else if (step.act === "rename" && typeof system.stat(split(step.to).directory) !== "string") {
      seat.ask(parent.node, system.renameCall(last.path, step.to));
    }
  }
}

Deno.test("whatever is open, committed, refused and late: every call is answered, once, and all comes to rest", () => {
  fc.assert(
    fc.property(fc.array(ACT, { maxLength: 50, size: "max" }), (acts) => {
      const bench = new Bench();
      const seat = bench.first;
      bench.elsewhere({ op: "mkdir", path: "d" }, { op: "mkdir", path: "d/e" });
      bench.auto = false;
      const open: { fd: Fd; path: string }[] = [];
      for (const step of acts) act(bench, seat, open, step);
      for (const { fd: { node, handle } } of open) {
        seat.ask(node, { call: "release", handle, flockOwner: null });
      }
      bench.commitAll();
      bench.pass(60_000);
      assert.equal(seat.mount.deadline(), Infinity, "nobody waits");
      bench.auto = true;
      const system = new System(seat);
      for (const path of ["a", "b", "d/a", "d/b", "d/e/a"]) {
        const found = system.stat(path);
        const row = seat.replica.tree.find(path);
        assert.equal(typeof found === "string", row === null, path);
        if (typeof found === "string" || row === null) continue;
        assert.equal(found.size, row.data.length, "no draft is left");
        assert.equal(system.open(path, READ) instanceof Object, true);
      }
    }),
    { numRuns: 500 },
  );
});
