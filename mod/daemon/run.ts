/** The composition root: settings → lock → daemon → API, until a signal or a fault ends it. @module */
import { serveApi } from "../api/mod.ts";
import { ProblemError, PROBLEMS } from "../base/problem.ts";
import type { Settings } from "../base/settings.ts";
import { Journal, JOURNAL_SOCKET, type JournalFields } from "../host/linux/journal.ts";
import { ServiceNotifier } from "../host/linux/systemd.ts";
import type { EventLine, StatusDocument } from "../node/mod.ts";
import { leaveNoCore } from "../host/ffi/core_dump.ts";
import { takeDirectoryLock } from "../host/linux/database.ts";
import { endFormerLife } from "../host/linux/former_life.ts";
import { Daemon } from "./daemon.ts";
import { makeRunDirectory, makeStateDirectory } from "./state.ts";
import { whyStopped } from "./why_stopped.ts";

/** Half of what the unit's WatchdogSec allows would do; a hung loop is to be seen sooner. */
const NOTIFY_MS = 2000;
/** Resources may take so long to stop. */
const STOP_LIMIT_MS = 660_000;

/** Runs a daemon until it ends; returns the exit code. Throws a ProblemError where it cannot start. */
export async function runDaemon(
  settings: Settings,
  selfCommand: readonly string[],
  acceptMachine = false,
): Promise<number> {
  // It is about to know the cluster's key.
  leaveNoCore();
  makeStateDirectory(settings.state);
  makeRunDirectory(settings.run);
  const lock = takeDirectoryLock(settings.state);
  const ended = Promise.withResolvers<number>();
  const daemon = new Daemon(settings, selfCommand, (code, why) => {
    console.error(`pentad ${settings.name}: ${why}`);
    ended.resolve(code);
  });
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    console.error(`pentad ${settings.name}: bug: ${describe(event.reason)}`);
    ended.resolve(70);
  });
  const api = await serveApi(daemon, settings);
  try {
    await endFormerLife(settings.run, settings.state);
  } catch (error) {
    await api.close();
    lock.release();
    throw error;
  }
  const notifier = new ServiceNotifier(settings.run, Deno.env.get("NOTIFY_SOCKET"));
  const journaled = Deno.env.get("JOURNAL_STREAM") !== undefined;
  const journal = new Journal(settings.run, journaled ? JOURNAL_SOCKET : null);
  const unlisten = daemon.onEvent((line) => {
    if (!line.routine) journal.write(entryOf(line));
  });
  // Resources and helpers are not the service: none of them is to speak for it.
  for (const name of ["NOTIFY_SOCKET", "JOURNAL_STREAM"]) Deno.env.delete(name);
  const stop = () => {
    notifier.stopping(STOP_LIMIT_MS);
    whyStopped().then((how) => daemon.shutdown(how)).catch((error) => {
      console.error(`pentad ${settings.name}: ${describe(error)}`);
      ended.resolve(1);
    });
  };
  const beat = setInterval(() => {
    if (daemon.isAlive()) notifier.alive();
    notifier.status(headline(daemon.status()));
  }, NOTIFY_MS);
  try {
    await daemon.start(acceptMachine);
    notifier.ready();
    Deno.addSignalListener("SIGTERM", stop);
    Deno.addSignalListener("SIGINT", stop);
    return await ended.promise;
  } finally {
    clearInterval(beat);
    unlisten();
    await Promise.all([notifier.close(), journal.close()]);
    Deno.removeSignalListener("SIGTERM", stop);
    Deno.removeSignalListener("SIGINT", stop);
    await api.close();
    lock.release();
  }
}

/** syslog(3): warnings, and what is as it should be. */
const [WARNING, INFO] = ["4", "6"];

/** A line of the conversation as the journal keeps it. */
function entryOf({ seq, node, stream, text, code }: EventLine): JournalFields {
  return {
    MESSAGE: `${stream} ${text}`,
    PRIORITY: code !== null && code in PROBLEMS ? WARNING : INFO,
    SYSLOG_IDENTIFIER: "pentad",
    PENTAD_NODE: node,
    PENTAD_STREAM: stream,
    PENTAD_SEQ: String(seq),
    ...(code === null ? {} : { PENTAD_CODE: code }),
  };
}

/** What `systemctl status pentad` shows. */
function headline(
  { cluster, quorate, armed, watchdog, leader, node, ha }: StatusDocument,
): string {
  if (cluster === null) return "no member of a cluster: pentad init, or pentad join";
  const words = [
    cluster.name,
    quorate ? "quorate" : "NOT quorate",
    ha.mode === "disarmed" ? "HA DISARMED" : armed ? "armed" : `disarmed: ${watchdog}`,
    `leader ${leader ?? "none"}`,
  ];
  return `${node?.name ?? ""}: ${words.join(", ")}`;
}

function describe(error: unknown): string {
  if (error instanceof ProblemError) return error.message;
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
