/**
 * How busy the host is, from /proc (proc(5)). A file that is missing or strange counts as 0: the
 * numbers only rank nodes, and a node must not fail over one of them.
 *
 * @module
 */
import type { LoadPort } from "../ports.ts";

/** Longest text taken from any of the files. */
const TEXT_LENGTH_MAX = 16 * 1024;

/** What the port is made with. */
export interface LoadOptions {
  /** Where the files are: `/proc`. */
  readonly proc: string;
  /** How many processors share the load average. */
  readonly processors: number;
}

/** The host's load. */
export class LinuxLoadPort implements LoadPort {
  readonly #options: LoadOptions;
  #ticks: CpuTicks | null = null;

  constructor(options: LoadOptions = {
    proc: "/proc",
    processors: navigator.hardwareConcurrency,
  }) {
    this.#options = options;
  }

  sample(
    done: (
      load: { readonly load: number; readonly memory: number; readonly ioDelay: number },
    ) => void,
  ): void {
    const sample = {
      load: loadOf(this.#read("loadavg"), this.#options.processors),
      memory: memoryOf(this.#read("meminfo")),
      ioDelay: this.#ioDelay(),
    };
    queueMicrotask(() => done(sample));
  }

  /** Pressure stall information where the kernel has it, else the share of iowait since last time. */
  #ioDelay(): number {
    const pressure = pressureOf(this.#read("pressure/io"));
    if (pressure !== null) return pressure;
    const before = this.#ticks;
    this.#ticks = ticksOf(this.#read("stat"));
    if (before === null || this.#ticks === null) return 0;
    const total = this.#ticks.total - before.total;
    return total > 0 ? fraction((this.#ticks.waiting - before.waiting) / total) : 0;
  }

  #read(name: string): string {
    try {
      return Deno.readTextFileSync(`${this.#options.proc}/${name}`).slice(0, TEXT_LENGTH_MAX);
    } catch {
      return "";
    }
  }
}

/** Jiffies of all processors since boot. */
interface CpuTicks {
  readonly total: number;
  readonly waiting: number;
}

/** First field of /proc/loadavg (mean of one minute), per processor, at most 1. */
export function loadOf(text: string, processors: number): number {
  const average = Number(/^(\d+(?:\.\d+)?) /.exec(text)?.[1] ?? 0);
  return fraction(average / Math.max(1, processors));
}

/** 1 − MemAvailable / MemTotal of /proc/meminfo. */
export function memoryOf(text: string): number {
  const total = Number(/^MemTotal: +(\d+) kB$/m.exec(text)?.[1] ?? 0);
  const available = /^MemAvailable: +(\d+) kB$/m.exec(text)?.[1];
  return total > 0 && available !== undefined ? fraction(1 - Number(available) / total) : 0;
}

/** `some avg10` of /proc/pressure/io in per cent, as a fraction; null where there is none. */
export function pressureOf(text: string): number | null {
  const percent = /^some avg10=(\d+(?:\.\d+)?) /m.exec(text)?.[1];
  return percent === undefined ? null : fraction(Number(percent) / 100);
}

/** The `cpu` line of /proc/stat: user nice system idle iowait irq softirq steal. */
function ticksOf(text: string): CpuTicks | null {
  const line = /^cpu +(\d+(?: \d+){4,9})$/m.exec(text)?.[1];
  if (line === undefined) return null;
  const fields = line.split(" ").slice(0, 8).map(Number);
  return { total: fields.reduce((sum, each) => sum + each, 0), waiting: fields[4] ?? 0 };
}

function fraction(value: number): number {
  return Number.isFinite(value) ? Math.min(1, Math.max(0, value)) : 0;
}
