/** ping(8) of iputils: does a host answer, and does it to a packet of a given size. @module */

const WAIT_SECONDS = 1;

/** Null where this host has no ping. `bytes`: of ICMP's payload, sent unfragmented. */
export async function answersPing(host: string, bytes: number): Promise<boolean | null> {
  const args = ["-n", "-q", "-c", "1", "-W", String(WAIT_SECONDS), "-M", "do"];
  try {
    const child = new Deno.Command("ping", {
      args: [...args, "-s", String(bytes), "--", host],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    });
    return (await child.output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
