/** Settings files as tired people leave them: the place, the fault and what was meant. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseJsonPlaces } from "../../mod/base/json_places.ts";
import { ProblemError } from "../../mod/base/problem.ts";
import {
  DISKS_MAX,
  parseSettings,
  SETTINGS_BYTES_MAX,
  SOCKET_PATH_BYTES_MAX,
} from "../../mod/base/settings.ts";

const GOOD = `{
  "name": "nodeA",
  "links": ["192.0.2.1:5405"],
  "peer": "192.0.2.1:5406"
}
`;
const TOKEN = "0123456789abcdef";

function faultOf(text: string): string {
  try {
    parseSettings(text, "file");
  } catch (error) {
    assert.ok(error instanceof ProblemError, String(error));
    assert.equal(error.problem.code, "settings.invalid");
    return error.problem.why;
  }
  throw new Error(`It was accepted: ${text}`);
}

function edited(from: string, to: string): string {
  assert.ok(GOOD.includes(from));
  return GOOD.replace(from, to);
}

/** The good file with more lines after the name: they begin at line 3. */
function withLines(lines: string): string {
  return edited(`"nodeA",`, `"nodeA",\n${lines},`);
}

Deno.test("parseSettings() fills in the defaults", () => {
  const settings = parseSettings(GOOD, "file");
  assert.equal(settings.state, "/var/lib/pentad");
  assert.equal(settings.socket, "/run/pentad/api.sock");
  assert.deepEqual(settings.bind, { links: ["192.0.2.1:5405"], peer: "192.0.2.1:5406" });
  assert.equal(settings.api, null);
  assert.deepEqual(settings.disks, []);
  assert.equal(settings.watchdog, "auto");
  assert.equal(settings.profile, "standard");
});

Deno.test("parseSettings() passes over a byte order mark and the line ends of other systems", () => {
  assert.deepEqual(
    parseSettings("\ufeff" + GOOD.replaceAll("\n", "\r\n"), "file"),
    parseSettings(GOOD, "file"),
  );
});

Deno.test("faults of JSON name the line and what is wrong there", () => {
  const table: [string, RegExp][] = [
    ["", /^"file" line 1: the file is empty$/],
    [" \n\t\n", /line 1: the file is empty/],
    [edited(`"nodeA",`, `"nodeA"`), /line 2: "," or "}" is missing at the end/],
    [edited(`06"\n`, `06",\n\n`), /line 4: there is a "," before the "}"/],
    [edited("]", ",]"), /line 3: there is a "," before the "\]"/],
    [edited(`"peer"`, `"name"`), /line 4: key "name" is given twice/],
    [`// a\n${GOOD}`, /line 1: JSON has no comments/],
    [edited(`"nodeA",`, `"nodeA", # a`), /line 2: JSON has no comments/],
    [edited(`"nodeA",`, `"nodeA" /* a */,`), /line 2: JSON has no comments/],
    [edited(`"name"`, `'name'`), /line 2: a key in double quotes is missing/],
    [edited(`"nodeA"`, `nodeA`), /line 2: a value is no JSON; texts have double quotes/],
    [edited(`"nodeA"`, `True`), /line 2: .*did you mean true\?/],
    [edited(`"nodeA"`, ``), /line 2: a value is missing/],
    [edited(`nodeA`, `node\nA`), /line 2: a text has no closing quote/],
    [edited(`nodeA`, `a\\qb`), /line 2: .*wrong escape/],
    [edited(`: "nodeA"`, ` "nodeA"`), /line 2: ":" is missing after "name"/],
    [`${GOOD}}`, /line 6: there is something after the end/],
    ["{", /line 1: a key in double quotes is missing/],
    [`{"name": `, /line 1: it ends too early/],
    ["[".repeat(10_000), /line 1: nested deeper/],
    ["\0", /line 1: a value is no JSON/],
    [`${GOOD}${" ".repeat(SETTINGS_BYTES_MAX)}`, /larger than 65536/],
  ];
  for (const [text, expected] of table) assert.match(faultOf(text), expected);
});

Deno.test("a mistyped key names the nearest known one, first of all faults", () => {
  assert.match(
    faultOf(edited(`"links"`, `"link"`)),
    /^"file" line 3: unknown key "link"; did you mean "links"\?; line 1: "links" .*is missing$/,
  );
  assert.match(faultOf(withLines(`"colour": 1`)), /line 3: unknown key "colour"; known are name, /);
  assert.match(
    faultOf(withLines(`"api": {\n"listn": "x:1"}`)),
    /line 4: unknown key "listn"; did you mean "listen"\?/,
  );
  assert.match(faultOf(withLines(`"__proto__": {}`)), /line 3: unknown key "__proto__"/);
  assert.match(faultOf(withLines(`"\\u001b[2J": 1`)), /unknown key "\\u001b\[2J"/);
});

Deno.test("wrong types and values name the key, the line and what is wanted", () => {
  const table: [string, RegExp][] = [
    ["[]", /line 1: the file must hold one object/],
    ["null", /line 1: the file must hold one object/],
    [`"x"`, /line 1: the file must hold one object/],
    [edited(`"nodeA"`, `7`), /line 2: "name" must be a string, received number/],
    [edited(`nodeA`, `node A`), /line 2: "name" must be a DNS label/],
    [edited(`["192.0.2.1:5405"]`, `"192.0.2.1:5405"`), /line 3: "links" must be an array/],
    [edited(`"192.0.2.1:5405"`, ``), /line 3: "links" must have at least 1 item/],
    [edited(`2.1:5405`, `2.1`), /line 3: "links\.0" must be HOST:PORT/],
    [edited(`192.0.2.1:5405`, `0.0.0.0:5405`), /"links\.0" .*wildcard belongs into "bind"/],
    [edited(`]`, `, "192.0.2.1:5405"]`), /"links" must not repeat/],
    [withLines(`"watchdog": "atuo"`), /line 3: .*one of auto, process, none; did you mean "auto"/],
    [withLines(`"profile": "Fast"`), /"profile" .*did you mean "fast"/],
    [withLines(`"profile": 3`), /"profile" must be one of standard, fast$/],
    [withLines(`"state": "relative"`), /"state" must be an absolute path/],
    [withLines(`"run": "/a\\u0000b"`), /"run" must be an absolute path/],
    [withLines(`"disks": "/dev/sda"`), /"disks" must be an array/],
    [withLines(`"disks": [${`"/d",`.repeat(DISKS_MAX)}"/e"]`), /"disks" must have at most 8 items/],
    [
      withLines(`"bind": {"links": ["x:1", "y:1"], "peer": "x:2"}`),
      /"bind\.links" has not as many/,
    ],
    [
      withLines(`"api": {"listen": "127.0.0.1:1"}`),
      /"api\.token" must be a string, and is missing/,
    ],
    [
      withLines(`"api": {"listen": "nowhere", "token": "${TOKEN}"}`),
      /"api\.listen" must be HOST:P/,
    ],
    [
      withLines(`"socket": "/${"x".repeat(SOCKET_PATH_BYTES_MAX)}"`),
      /line 3: the socket's path is/,
    ],
    [
      withLines(`"run": "/${"x".repeat(SOCKET_PATH_BYTES_MAX - 5)}"`),
      /line 3: the socket's path is/,
    ],
  ];
  for (const [text, expected] of table) assert.match(faultOf(text), expected);
});

Deno.test("a fault never repeats a token", () => {
  for (
    const line of [
      `"api": {"listen": "x:1", "token": "secret"}`,
      `"api": {"listen": "x:1", "token": "secret with spaces"}`,
      `"api": {"listen": "x:1", "token": secret-without-quotes}`,
      `"api": {"listen": "x:1", "token": "secret-cut-off`,
      `"api": "secret-in-the-wrong-place"`,
    ]
  ) assert.doesNotMatch(faultOf(withLines(line)), /secret/);
});

Deno.test("parseJsonPlaces() takes what JSON.parse takes, and nothing else but a mark in front", () => {
  const json = fc.oneof(
    fc.json({ maxDepth: 4 }),
    fc.tuple(fc.json({ maxDepth: 3 }), fc.nat(), fc.string({ maxLength: 2 })).map(
      ([text, at, more]) => text.slice(0, at % (text.length + 1)) + more + text.slice(at % 7),
    ),
  );
  fc.assert(
    fc.property(json, (text) => {
      const read = parseJsonPlaces(text);
      let expected: { value: unknown } | null = null;
      try {
        expected = { value: JSON.parse(text) };
      } catch {
        assert.equal(read.ok, false, text);
        return;
      }
      // A key given twice is the one thing that JSON.parse lets pass.
      if (!read.ok) assert.match(read.why, /given twice/, text);
      else assert.deepEqual(read.value, expected.value);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("history and backups have defaults, bounds, and times as people write them", () => {
  const plain = parseSettings(GOOD, "file");
  assert.deepEqual(plain.history, { megabytes: 256, days: 400 });
  assert.deepEqual(plain.backup, { when: { kind: "daily", minute: 195 }, keep: 7 });
  const when = (text: string) =>
    parseSettings(withLines(`"backup": {"when": ${JSON.stringify(text)}}`), "file").backup.when;
  assert.deepEqual(when("off"), { kind: "off" });
  assert.deepEqual(when("23:59"), { kind: "daily", minute: 1439 });
  assert.deepEqual(when("every 6h"), { kind: "every", hours: 6 });
  const few = parseSettings(withLines(`"history": {"days": 1}, "backup": {"keep": 1}`), "file");
  assert.deepEqual(few.history, { megabytes: 256, days: 1 });
  assert.equal(few.backup.keep, 1);
  const table: [string, RegExp][] = [
    [`"backup": {"when": "24:00"}`, /line 3: "backup\.when" must be "off", a time of day/],
    [`"backup": {"when": "every 0h"}`, /"backup\.when" must be/],
    [`"backup": {"when": "every 745h"}`, /"backup\.when" must be/],
    [`"backup": {"keep": 0}`, /"backup\.keep" must be at least 1/],
    [`"backup": {"keeps": 1}`, /unknown key "keeps"; did you mean "keep"\?/],
    [`"backup": "off"`, /"backup" must be an object/],
    [`"history": {"days": 0}`, /"history\.days" must be at least 1/],
    [`"history": {"megabyte": 1}`, /did you mean "megabytes"\?/],
    [`"history": {"megabytes": 31}`, /"history\.megabytes" must be at least 32/],
    [`"history": {"megabytes": 1e9}`, /"history\.megabytes" must be at most 4096/],
  ];
  for (const [line, why] of table) assert.match(faultOf(withLines(line)), why);
});
