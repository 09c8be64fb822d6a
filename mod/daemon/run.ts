/** The composition root: settings → lock → daemon → API, until a signal or a fault ends it. @module */
import { serveApi } from "../api/mod.ts";
import { ProblemError } from "../base/problem.ts";
import type { Settings } from "../base/settings.ts";
import { takeDirectoryLock } from "../host/linux/database.ts";
import { Daemon } from "./daemon.ts";
import { makeStateDirectory } from "./state.ts";
import { whyStopped } from "./why_stopped.ts";

/** Runs a daemon until it ends; returns the exit code. Throws a ProblemError where it cannot start. */
export async function runDaemon(
  settings: Settings,
  selfCommand: readonly string[],
): Promise<number> {
  makeStateDirectory(settings.state);
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
  const stop = () => {
    whyStopped().then((how) => daemon.shutdown(how)).catch((error) => {
      console.error(`pentad ${settings.name}: ${describe(error)}`);
      ended.resolve(1);
    });
  };
  const api = await serveApi(daemon, settings);
  try {
    await daemon.start();
    Deno.addSignalListener("SIGTERM", stop);
    Deno.addSignalListener("SIGINT", stop);
    return await ended.promise;
  } finally {
    Deno.removeSignalListener("SIGTERM", stop);
    Deno.removeSignalListener("SIGINT", stop);
    await api.close();
    lock.release();
  }
}

function describe(error: unknown): string {
  if (error instanceof ProblemError) return error.message;
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
