/** A daemon's database for tests that end it: commits until it is killed or fails, and says so. */
import { linuxDatabase } from "../../mod/host/linux/database.ts";
import { applied, INSTALL, unhashed } from "../contract/database_suite.ts";

const [folder = "", filler = "0"] = Deno.args;
const port = linuxDatabase(folder);
const database = port.open((content) => {
  if ("damaged" in content) throw new Error(content.damaged);
  commit(content.applied.index + 1);
});

/** One entry after the other; every tenth batch installs another replica's state. */
function commit(index: number): void {
  const batch = index % 10 === 0
    ? { install: { ...INSTALL, base: { index, term: 1, chain: index }, stateCrc: 100 + index } }
    : unhashed(applied(index));
  const data = new Uint8Array(Number(filler)).fill(index);
  const rows = batch.applied?.rows.map((row) => ({ ...row, ino: index, name: `f${index}`, data }));
  const whole = rows === undefined || batch.applied === undefined
    ? batch
    : { ...batch, applied: { ...batch.applied, rows } };
  database.commit(whole, (failure) => {
    console.log(failure === null ? index : `failed: ${failure}`);
    if (failure === null) commit(index + 1);
    // A second commit after a failed one must not succeed either.
    else {
      database.commit(whole, (again) => {
        console.log(again === null ? "succeeded" : `again: ${again}`);
        Deno.exit(0);
      });
    }
  });
}
