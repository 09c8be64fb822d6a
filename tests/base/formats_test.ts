/** The table of forms says what the modules that own them say. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { FORMATS, readFormats, upgradeFault } from "../../mod/base/formats.ts";
import { PEER_VERSION } from "../../mod/config/channel.ts";
import { FORM } from "../../mod/host/linux/database_form.ts";
import { JOIN_VERSION } from "../../mod/join/mod.ts";
import { LAYOUT_VERSION } from "../../mod/storage/layout.ts";

Deno.test("FORMATS says what is written and spoken", () => {
  assert.equal(FORMATS.peer, PEER_VERSION);
  assert.equal(FORMATS.join, JOIN_VERSION);
  assert.equal(FORMATS.disk, LAYOUT_VERSION);
  assert.equal(FORMATS.database, FORM);
});

Deno.test("upgradeFault() lets nobody speak another form, nor read an older one", () => {
  assert.equal(upgradeFault(FORMATS, FORMATS), null);
  for (const name of Object.keys(FORMATS) as (keyof typeof FORMATS)[]) {
    const older = { ...FORMATS, [name]: FORMATS[name] - 1 };
    const newer = { ...FORMATS, [name]: FORMATS[name] + 1 };
    assert.match(upgradeFault(FORMATS, older) ?? "", new RegExp(name));
    const own = name === "database" || name === "identity";
    assert.equal(upgradeFault(FORMATS, newer) === null, own);
  }
});

Deno.test("readFormats() takes whole tables only", () => {
  assert.deepEqual(readFormats({ ...FORMATS, later: 1 }), { ...FORMATS, later: 1 });
  fc.assert(fc.property(fc.anything(), (any) => readFormats(any) === null));
});
