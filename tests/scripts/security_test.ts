/** The security review: each claim in it names a test, and that test is there. */
import assert from "node:assert/strict";

const ROOT = new URL("../..", import.meta.url).pathname;

Deno.test("every test that the security review names is there, under that name", () => {
  const text = Deno.readTextFileSync(`${ROOT}docs/security.md`);
  const claims = text.split("\n`").join(" `").split(/(?=`tests\/)/).slice(1);
  let named = 0;
  for (const claim of claims) {
    const [, file = ""] = /^`(tests\/[^`]+)`/.exec(claim) ?? [];
    const source = Deno.readTextFileSync(`${ROOT}${file}`);
    // Names follow the file until the claim ends: with a full stop, a list or another file.
    const after = claim.slice(file.length + 2).split(/\n[-#|]|\n\n|\n\d+\. /)[0] ?? "";
    for (const [, name = ""] of after.matchAll(/"([^"]+)"/g)) {
      const whole = name.replace(/\s+/g, " ");
      assert.ok(source.includes(`"${whole}"`), `${file}: "${whole}"`);
      named++;
    }
  }
  assert.ok(named > 50, `${named} tests are named`);
  for (
    const section of text.split(/^## /m).filter((each) => /^(The network|Another user)/.test(each))
  ) {
    const claims = section.split(/^- /m).slice(1);
    for (const claim of claims) assert.match(claim, /`tests\/.*"/s, claim);
  }
});
