/** What is refused: four parts on standard error, nothing on standard output, the right exit code. */
import assert from "node:assert/strict";
import { type ProblemCode, ProblemError, PROBLEMS } from "../../mod/base/problem.ts";
import { Client, unreachable } from "../../mod/cli/client.ts";
import { unreadable } from "../../mod/cli/io.ts";
import { problemText, wantsJson } from "../../mod/cli/problem_text.ts";
import { cli, type Ran, withDaemon } from "./world.ts";

function refused(ran: Ran, code: ProblemCode, why?: RegExp): void {
  const { title, remedy, exit } = PROBLEMS[code];
  assert.equal(ran.code, exit, ran.err);
  assert.equal(ran.out, "");
  const lines = ran.err.trimEnd().split("\n").slice(-4);
  assert.equal(lines[0], `error: ${title}`);
  assert.match(lines[1] ?? "", /^ {2}why {4}\S/);
  assert.equal(lines[2], `  fix    ${remedy}`);
  assert.equal(lines[3], `  code   ${code}`);
  if (why) assert.match(lines[1] ?? "", why);
}

Deno.test("wrong usage is 2, with one suggestion where something is near", async () => {
  const table: [string[], RegExp][] = [
    [["stauts"], /unknown command "stauts", did you mean "status"\?$/],
    [["config", "sett", "a"], /unknown command "sett", did you mean "set"\?$/],
    [["status", "--jsn"], /unknown option "--jsn", did you mean "--json"\?$/],
    [["status", "-o", "tabel"], /choices are table, plain, json; did you mean "table"\?$/],
    [["init", "x", "--profile", "FAST"], /did you mean "fast"\?$/],
    [["completion", "bsh"], /value "bsh" is invalid .*; did you mean "bash"\?$/],
    [["events", "--stream", "heart"], /choices are heartbeat, config, ha, storage, join, node$/],
    [["help", "confg"], /unknown command "confg", did you mean "config"\?$/],
    [["help", "ha", "xyz"], /unknown command "xyz"$/],
    [["init"], /missing required argument "name"/],
    [["config", "get", "a", "b"], /too many arguments/],
    [["config", "history", "--limit", "0"], /whole number from 1 to 10000/],
    [["config", "set", "f", "x", "--expect", "abc"], /whole number/],
    [["config", "set", "f", "x", "--request", "ABC"], /16 hex digits/],
    [["status", "--wait", "1e3"], /number of seconds from 1 to 86400/],
    [["join"], /name a member .*--ticket -/],
    [["ha", "add", "exec:web", "--state", "on"], /choices are started, stopped/],
    [["node", "maintenance", "nodeB", "yes"], /choices are on, off/],
    [["join", "--", "-oProxyCommand=x"], /is not \[root@\]HOST/],
    [["join", "root@-x"], /is not \[root@\]HOST/],
    [["join", "a b"], /is not \[root@\]HOST/],
    [["join", "h:99999"], /is not \[root@\]HOST/],
    [["join", "h", "--ticket", "t"], /leave HOST out/],
    [["status", "--socket", ""], /socket's path is empty/],
  ];
  for (const [args, why] of table) refused(await cli(args), "cli.usage", why);
  const both = await cli(["config", "set", "f", "x", "--file", "f"]);
  refused(both, "cli.usage", /exclude one another/);
  refused(await cli(["config", "set", "f"]), "cli.usage", /no content/);
  refused(await cli(["config", "set", "f", "--file", "no"]), "cli.usage", /"no" is not there/);
});

Deno.test("a noun without its verb prints its help, on standard error, and is 2", async () => {
  for (const words of [[], ["config"], ["ha"], ["join", "ticket"]]) {
    const ran = await cli(words);
    assert.equal(ran.code, 2);
    assert.equal(ran.out, "");
    assert.match(ran.err, /^Usage: pentad/);
  }
});

Deno.test("every code that a daemon refuses with keeps its code and has its own exit code", async () => {
  await withDaemon(async ({ node, cli }) => {
    for (const code of Object.keys(PROBLEMS) as ProblemCode[]) {
      node.leave = () => Promise.reject(new ProblemError(code, "because"));
      refused(await cli(["leave"]), code, /because$/);
      const ran = await cli(["leave", "--json"]);
      const { title, remedy, exit } = PROBLEMS[code];
      assert.equal(ran.code, exit);
      assert.deepEqual(JSON.parse(ran.err), {
        ...{ schema: "pentad.problem/1", code, title, why: "because", remedy, exit },
      });
    }
  });
});

Deno.test("what is not there is 9: paths, resources, nodes", async () => {
  await withDaemon(async ({ node, cli }) => {
    node.put("f", "x");
    refused(await cli(["config", "get", "none"]), "config.not-found", /"none"/);
    refused(await cli(["config", "ls", "none"]), "config.not-found");
    refused(await cli(["config", "rm", "none"]), "config.not-found");
    refused(await cli(["ha", "set", "exec:none", "--state", "stopped"]), "ha.no-such-resource");
    refused(await cli(["ha", "migrate", "exec:none", "nodeB"]), "ha.no-such-resource");
    for (const id of ["..", ".", "a/b", "web", "exec:", "../../v1/leave", ""]) {
      refused(await cli(["ha", "remove", id]), "ha.no-such-resource");
    }
    for (const name of ["..", ".", "nodeZ", "a/b", ""]) {
      refused(await cli(["node", "maintenance", name]), "ha.no-such-node");
    }
    assert.equal(node.asks.length, 0);
  });
});

Deno.test("paths that are none, kinds that do not fit, and the root are refused", async () => {
  await withDaemon(async ({ node, cli }) => {
    node.put("f", "x");
    node.tree.set("d", { kind: "directory", data: new Uint8Array(), version: 5 });
    for (const path of ["../f", "a/../f", "./f", "a//b", "a\nb", "x".repeat(300)]) {
      refused(await cli(["config", "get", path]), "config.bad-path");
      refused(await cli(["config", "set", path, "x"]), "config.bad-path");
    }
    refused(await cli(["config", "get", "d"]), "config.is-a-directory");
    refused(await cli(["config", "set", "d", "x"]), "config.is-a-directory");
    refused(await cli(["config", "ls", "f"]), "config.not-a-directory");
    for (const root of ["/", "//", ""]) {
      refused(await cli(["config", "rm", root]), "config.bad-path");
    }
    assert.equal(node.asks.length, 0);
  });
});

Deno.test("a version that is not the one any more is 6, and no quorum is 4", async () => {
  await withDaemon(async ({ node, cli }) => {
    node.put("f", "x");
    const stale = await cli(["config", "set", "f", "y", "--expect", "3"]);
    refused(stale, "config.version-mismatch");
    refused(await cli(["config", "set", "f", "y", "--expect", "0"]), "config.version-mismatch");
    refused(await cli(["config", "rm", "f", "--expect", "3"]), "config.version-mismatch");
    node.document.quorate = false;
    refused(await cli(["config", "set", "f", "y"]), "config.no-quorum");
    refused(await cli(["config", "get", "f", "--read", "quorum"]), "config.no-quorum");
    refused(await cli(["ha", "add", "exec:web", "--command", "x"]), "config.no-quorum");
    assert.equal(node.text("f"), "x");
    assert.equal((await cli(["config", "get", "f"])).out, "x");
  });
});

Deno.test("resources that are wrong, and nodes that cannot take one", async () => {
  await withDaemon(async ({ cli }) => {
    refused(await cli(["ha", "add", "vm:1"]), "ha.bad-resource");
    refused(await cli(["ha", "add", "exec:web"]), "ha.bad-resource", /needs a command/);
    refused(await cli(["ha", "add", "web", "--command", "x"]), "api.bad-request", /kind:name/);
    await cli(["ha", "add", "exec:web", "--command", "x"]);
    refused(await cli(["ha", "add", "exec:web", "--command", "x"]), "ha.exists");
    refused(await cli(["node", "confirm-dead", "nodeB"]), "ha.not-dead", /--yes/);
    refused(await cli(["node", "confirm-dead", "nodeB", "--yes"]), "ha.not-dead", /online/);
    refused(await cli(["join", "--ticket", "bad"]), "join.bad-ticket");
    const endless = await cli(["join", "--ticket", "-"], { input: "x".repeat(5000) });
    refused(endless, "join.bad-ticket");
  });
});

Deno.test("settings that cannot be opened say why", async () => {
  const path = "/etc/pentad/settings.json";
  const daemon = (content: string | Uint8Array | Error) =>
    cli(["daemon"], { files: { [path]: content } });
  refused(await cli(["daemon"]), "settings.unreadable", /is not there/);
  refused(await daemon(new Deno.errors.PermissionDenied()), "settings.unreadable", /this user/);
  refused(await daemon(new Uint8Array([0xff, 0xfe, 0x7b, 0])), "settings.unreadable", /UTF-8/);
  refused(await daemon("x".repeat(2_000_000)), "settings.unreadable", /longer/);
  refused(
    await daemon("{}"),
    "settings.invalid",
    /line 1: "name" must be a string, and is missing/,
  );
  refused(await daemon(""), "settings.invalid", /the file is empty/);
  assert.equal(unreadable(new Deno.errors.IsADirectory()), "is a directory");
  assert.equal(unreadable(new Error("EIO")), "cannot be read: EIO");
});

Deno.test("a daemon that is not there, gone, or not for this user, is told apart", async () => {
  const directory = Deno.makeTempDirSync();
  try {
    const none = await cli(["status", "--socket", `${directory}/none`]);
    refused(none, "node.unreachable", /none" is not there$/);
    Deno.writeTextFileSync(`${directory}/stale`, "");
    const stale = await cli(["status"], { env: { PENTAD_SOCKET: `${directory}/stale` } });
    refused(stale, "node.unreachable", /nobody listens$/);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
  // Root may open everything, so the system's words are given here.
  const denied = new TypeError("Fetch failed", { cause: "Permission denied (os error 13)" });
  assert.equal(unreachable('"s"', denied).problem.code, "node.denied");
  assert.match(unreachable('"s"', new Error("Reset")).problem.why, /"s" does not answer/);
});

Deno.test("over TCP an address or token that is none is wrong usage, and the token is never shown", async () => {
  const ask = (url: string, token?: string) =>
    cli(["status", "--api", url], token === undefined ? {} : { env: { PENTAD_TOKEN: token } });
  refused(await ask("http://127.0.0.1:9"), "cli.usage", /PENTAD_TOKEN/);
  for (const token of ["", "secret\n", "secret ä"]) {
    const ran = await ask("http://127.0.0.1:9", token);
    refused(ran, "cli.usage", /PENTAD_TOKEN/);
    assert.doesNotMatch(ran.err, /secret/);
  }
  for (
    const url of ["nodeA:8080", "file:///etc", "http://", "http://a b", "http://x@h", "http://h/p"]
  ) {
    refused(await ask(url, "0123456789abcdef"), "cli.usage", /is not http:\/\/HOST:PORT/);
  }
});

/** Serves `answer` for everything, on a socket. */
async function withServer(
  answer: (request: Request) => Response | Promise<Response>,
  body: (socket: string) => Promise<void>,
): Promise<void> {
  const directory = Deno.makeTempDirSync();
  const path = `${directory}/s`;
  const server = Deno.serve({ path, onListen() {} }, answer);
  try {
    await body(path);
  } finally {
    await server.shutdown();
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("no name is looked up on the way to a socket: it works with every network down", async () => {
  let host: string | null = null;
  await withServer((request) => {
    host = request.headers.get("Host");
    return Response.json({ nodes: [] });
  }, async (socket) => {
    assert.equal((await cli(["node", "list", "--socket", socket])).code, 0);
  });
  assert.equal(host, "127.0.0.1");
});

Deno.test("an answer that is no pentad's is told as that, not as a bug", async () => {
  const answers: [() => Response, RegExp][] = [
    [() => new Response("<html>", { status: 404 }), /404: <html>/],
    [() => new Response("<html>"), /not JSON/],
    [() => Response.json({ code: "toString" }, { status: 400 }), /unknown code "toString"/],
    [() => Response.json(null, { status: 500 }), /500: null/],
    [() => new Response(null, { status: 502 }), /502/],
  ];
  for (const [answer, why] of answers) {
    await withServer(answer, async (socket) => {
      refused(await cli(["status", "--socket", socket]), "node.strange-answer", why);
    });
  }
});

Deno.test("an answer that breaks off is unreachable, and names the request to be repeated", async () => {
  const directory = Deno.makeTempDirSync();
  const socket = `${directory}/s`;
  const listener = Deno.listen({ transport: "unix", path: socket });
  const serving = (async () => {
    for await (const connection of listener) {
      await connection.read(new Uint8Array(4096));
      const half = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{";
      await connection.write(new TextEncoder().encode(half));
      connection.close();
    }
  })();
  try {
    refused(await cli(["status", "--socket", socket]), "node.unreachable", /broke off/);
    const ran = await cli(["config", "set", "f", "x", "--expect", "1", "--socket", socket]);
    refused(ran, "node.unreachable", /broke off/);
    assert.match(
      ran.err,
      /^the request's id is [0-9a-f]{16}: repeat with --request [0-9a-f]{16}\n/,
    );
  } finally {
    listener.close();
    await serving;
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("a daemon that hangs is 8 after the limit, and names the request to be repeated", async () => {
  const gate = Promise.withResolvers<Response>();
  await withServer(() => gate.promise, async (socket) => {
    const client = new Client({ kind: "socket", path: socket });
    const hung = client.change("PUT", "/v1/config/f", { limitMs: 1 });
    await assert.rejects(hung, (error) => {
      assert.ok(error instanceof ProblemError);
      assert.equal(error.problem.code, "node.timeout");
      return true;
    });
    client.close();
    gate.resolve(new Response("{}"));
  });
  await withDaemon(async ({ node, cli }) => {
    node.put("f", "x");
    const problem = { code: "config.unknown-outcome", why: "no majority answered" } as const;
    node.change = () => Promise.resolve({ ok: false, problem });
    const ran = await cli(["config", "set", "f", "y", "--request", "00000000000000aa"]);
    refused(ran, "config.unknown-outcome");
    assert.match(ran.err, /repeat with --request 00000000000000aa\n/);
  });
});

Deno.test("events gives up on a daemon that is silent, before its answer and within it", async () => {
  const silent = async (client: Client) => {
    const stream = await client.stream("/v1/events", new AbortController().signal, 1);
    await new Response(stream).text();
  };
  const gate = Promise.withResolvers<Response>();
  for (const answer of [() => gate.promise, () => new Response(new ReadableStream())]) {
    await withServer(answer, async (path) => {
      const client = new Client({ kind: "socket", path });
      await assert.rejects(silent(client), (error) => {
        assert.ok(error instanceof ProblemError, String(error));
        assert.equal(error.problem.code, "node.timeout");
        return true;
      });
      client.close();
      gate.resolve(new Response());
    });
  }
});

Deno.test("an exception within is 70 with its stack, in four parts", async () => {
  const settings = '{"name": "broken", "links": ["192.0.2.1:5405"], "peer": "192.0.2.1:5406"}';
  const ran = await cli(["daemon"], { files: { "/etc/pentad/settings.json": settings } });
  assert.equal(ran.code, 70);
  assert.match(
    ran.err,
    /^error: .*\n {2}why {4}TypeError: Broken\n {9} {4}at [^]*\n {2}code {3}bug\n$/,
  );
});

Deno.test("problemText() shows hostile text as text, and a stack on lines of its own", () => {
  const hostile = problemText({ code: "config.not-found", why: "a\x1b[2J\u202eb" }, "text");
  assert.match(hostile, /why {4}a\\x1b\[2J\\x202eb\n/);
  const stack = problemText({ code: "bug", why: "Error: x\n  at y\r" }, "text");
  assert.match(stack, /why {4}Error: x\n {11}at y\\x0d\n {2}fix/);
  assert.equal(JSON.parse(problemText({ code: "bug", why: "\x1b" }, "json")).why, "\x1b");
});

Deno.test("wantsJson() sees what was asked for, though the rest is wrong", () => {
  for (const args of ["--json", "x -o json", "x --output json", "--output=json x", "-ojson"]) {
    assert.ok(wantsJson(args.split(" ")), args);
  }
  for (const args of ["", "json", "x -- --json", "-o table json", "--jsons"]) {
    assert.ok(!wantsJson(args.split(" ")), args);
  }
});
