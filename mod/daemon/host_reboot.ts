/** Has this host begin anew, in order: systemd stops what runs, this daemon among it. @module */

const LIMIT_MS = 30_000;

/** Null where it was accepted; else why not. */
export async function rebootHost(): Promise<string | null> {
  try {
    await Deno.stat("/run/systemd/system");
    const { success, stderr } = await new Deno.Command("systemctl", {
      args: ["reboot", "--no-wall"],
      ...{ stdin: "null", stdout: "null", stderr: "piped", env: { LC_ALL: "C" } },
      signal: AbortSignal.timeout(LIMIT_MS),
    }).output();
    return success ? null : new TextDecoder().decode(stderr).trim().slice(0, 300);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
