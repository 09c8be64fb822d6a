/** What only root may do. @module */
import { ProblemError } from "../../base/problem.ts";

/** Refuses by name where this user may not do it. */
export function asRoot(body: () => void): void {
  try {
    body();
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    throw new ProblemError("install.not-root", error.message, { cause: error });
  }
}
