/** The API on real sockets: raw bytes as a hostile client sends them, and the places it listens on. */
import assert from "node:assert/strict";
import { ownerFault } from "../../mod/api/serve.ts";
import { serveApi, type ServeOptions } from "../../mod/api/mod.ts";
import { type ProblemCode, ProblemError } from "../../mod/base/problem.ts";
import { FakeNode } from "./fake_node.ts";

const TOKEN = "0123456789abcdef";

async function withDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = Deno.makeTempDirSync();
  try {
    await body(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

async function withServer(
  body: (node: FakeNode, socket: string) => Promise<void>,
  options: Partial<ServeOptions> = {},
): Promise<void> {
  await withDirectory(async (directory) => {
    const socket = `${directory}/run/api.sock`;
    const node = new FakeNode();
    const server = await serveApi(node, { socket, ...options });
    try {
      await body(node, socket);
    } finally {
      await server.close();
    }
  });
}

/** Sends bytes as they are and reads until the server closes, or has answered with a problem. */
async function raw(to: Deno.ConnectOptions | Deno.UnixConnectOptions, text: string) {
  const connection = "path" in to ? await Deno.connect(to) : await Deno.connect(to);
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
  // A refusal may close before all is written.
  const sent = connection.write(bytes).catch(() => {});
  let answer = "";
  const buffer = new Uint8Array(65536);
  while (!/"code":"[^]*\}\n/.test(answer)) {
    const count = await connection.read(buffer).catch(() => null);
    if (count === null) break;
    answer += new TextDecoder().decode(buffer.subarray(0, count));
  }
  connection.close();
  await sent;
  return { status: Number(/^HTTP\/1\.\d (\d+)/.exec(answer)?.[1]), answer };
}

function ask(line: string, more = ""): string {
  return `${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${more}\r\n`;
}

async function failsWith(code: ProblemCode, why: RegExp, options: ServeOptions): Promise<void> {
  await assert.rejects(serveApi(new FakeNode(), options), (error) => {
    assert.ok(error instanceof ProblemError, String(error));
    assert.equal(error.problem.code, code);
    assert.match(error.problem.why, why);
    return true;
  });
}

Deno.test("path escapes sent raw are refused; nothing is normalized on the way", async () => {
  await withServer(async (node, path) => {
    node.put("secret", "x");
    const send = (line: string) => raw({ transport: "unix", path }, ask(line));
    for (
      const target of [
        ...["../secret", "%2e%2e/secret", ".%2E/secret", "a/../secret", "./secret", "a%2fb"],
        ...["%00", "a%00", "%2Fetc%2Fpasswd", "/etc/passwd", "%ff", "%c0%ae%c0%ae/x", "%ED%A0%80"],
        ...["a%0d%0aX-Evil:1", "%", "%2", "x".repeat(256), "x/".repeat(700)],
      ]
    ) {
      const { status, answer } = await send(`GET /v1/config/${target}`);
      assert.equal(status, 400, `${target} ${answer}`);
      assert.match(answer, /"code":"config\.bad-path"/, target);
      assert.doesNotMatch(answer, /^x-evil/im);
    }
    assert.match((await send("GET http://evil/v1/config/secret")).answer, /\r\nx$|\r\nx\r\n/);
  });
});

Deno.test("what is hardly HTTP is answered or closed, and the server lives", async () => {
  await withServer(async (node, path) => {
    const send = (text: string) => raw({ transport: "unix", path }, text);
    const table: [string, number][] = [
      [ask("TRACE /v1/status"), 405],
      [ask("BREW /v1/status"), 405],
      [ask("OPTIONS *"), 404],
      [ask("GET /v1/config/a\\b"), 404],
      [ask("GET /v1/config/\xff"), 400],
      ["nonsense\r\n\r\n", 400],
      [ask(`GET /v1/config/${"a".repeat(200_000)}`), 400],
      [ask("GET /v1/status", `X: ${"a".repeat(1_000_000)}\r\n`), 400],
      [ask("POST /v1/init", "Content-Length: -1\r\n"), 400],
      [ask("POST /v1/init", "Content-Length: 99999999999\r\n"), 413],
      ["GET /v1/livez HTTP/1.0\r\n\r\n", 404],
      ["GET /livez HTTP/1.0\r\n\r\n", 200],
    ];
    for (const [text, expected] of table) {
      const { status, answer } = await send(text);
      assert.equal(status, expected, `${text.slice(0, 60)} → ${answer.slice(0, 200)}`);
    }
    assert.equal((await send(ask("GET /v1/status"))).status, 200);
    assert.deepEqual(node.calls, []);
  });
});

Deno.test("the socket is for owner and group, whatever the umask; its directory is not for others", async () => {
  const before = Deno.umask(0);
  try {
    await withServer((_node, socket) => {
      assert.equal((Deno.statSync(socket).mode ?? 0) & 0o777, 0o660);
      assert.equal((Deno.statSync(socket.replace("/api.sock", "")).mode ?? 0) & 0o777, 0o750);
      assert.equal(Deno.umask(), 0);
      return Promise.resolve();
    });
  } finally {
    Deno.umask(before);
  }
});

Deno.test("a directory that others may write to, or that is a file, is refused", async () => {
  await withDirectory(async (directory) => {
    Deno.mkdirSync(`${directory}/open`);
    Deno.chmodSync(`${directory}/open`, 0o777);
    await failsWith("api.cannot-listen", /others may write/, { socket: `${directory}/open/s` });
    Deno.chmodSync(`${directory}/open`, 0o1777);
    await (await serveApi(new FakeNode(), { socket: `${directory}/open/s` })).close();
    Deno.writeTextFileSync(`${directory}/file`, "");
    await failsWith("api.cannot-listen", /cannot be made/, { socket: `${directory}/file/s` });
    await failsWith("api.cannot-listen", /not a socket/, { socket: `${directory}/file` });
    Deno.symlinkSync("/dev/null", `${directory}/link`);
    await failsWith("api.cannot-listen", /not a socket/, { socket: `${directory}/link` });
    await failsWith("api.cannot-listen", /api\.sock/, {
      socket: `${directory}/${"x".repeat(120)}/api.sock`,
    });
  });
});

Deno.test("ownerFault() names a directory of another user, and one that others may write to", () => {
  const own = { uid: 1000, mode: 0o40750 };
  assert.equal(ownerFault(own, 1000), null);
  assert.equal(ownerFault({ ...own, uid: 0 }, 1000), null);
  assert.equal(ownerFault({ ...own, mode: 0o41777 }, 1000), null);
  assert.match(ownerFault(own, 0) ?? "", /another user/);
  assert.match(ownerFault({ ...own, mode: 0o40772 }, 1000) ?? "", /others may write/);
});

Deno.test("a second daemon is refused; the socket of one that is gone is taken over", async () => {
  await withServer(async (_node, socket) => {
    await failsWith("node.already-running", /answers/, { socket });
  });
  await withDirectory(async (directory) => {
    const socket = `${directory}/s`;
    // A listener that is closed without removing its file, as a killed daemon leaves it.
    const listener = Deno.listen({ transport: "unix", path: `${directory}/gone` });
    Deno.renameSync(`${directory}/gone`, socket);
    listener.close();
    await (await serveApi(new FakeNode(), { socket })).close();
  });
});

Deno.test("TCP is refused without a token, on an address that is none, and on one in use", async () => {
  await withDirectory(async (directory) => {
    const socket = `${directory}/s`;
    for (const token of ["", "short"]) {
      const api = { listen: "127.0.0.1:0", token };
      await failsWith("api.cannot-listen", /api\.token/, { socket, api });
    }
    const bad = { listen: "nowhere", token: TOKEN };
    await failsWith("heartbeat.bad-address", /nowhere/, { socket, api: bad });
    const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const listen = `127.0.0.1:${(taken.addr as Deno.NetAddr).port}`;
    await failsWith("api.cannot-listen", new RegExp(listen), {
      socket,
      api: { listen, token: TOKEN },
    });
    taken.close();
  });
});

Deno.test("over TCP every request needs the token, and a stranger is told nothing", async () => {
  await withDirectory(async (directory) => {
    const api = { listen: "127.0.0.1:0", token: TOKEN };
    const server = await serveApi(new FakeNode(), { socket: `${directory}/s`, api });
    try {
      const [hostname = "", port] = (server.address ?? "").split(":");
      const send = (text: string) => raw({ hostname, port: Number(port) }, text);
      for (const line of ["GET /v1/status", "GET /livez", "GET /", "DELETE /v1/status"]) {
        const { status, answer } = await send(ask(line));
        assert.equal(status, 401, line);
        assert.match(answer, /api\.unauthorized/);
        assert.doesNotMatch(answer, /nodeA|Pentad-Quorate/i);
      }
      // Refused before the body is read.
      const large = ask("PUT /v1/config/f", "Content-Length: 99999999\r\n");
      assert.equal((await send(large)).status, 401);
      const told = ask("GET /v1/status", `Authorization: Bearer ${TOKEN}\r\n`);
      assert.equal((await send(told)).status, 200);
    } finally {
      await server.close();
    }
  });
});

Deno.test("closing ends open event streams, and readers that do not read hold nothing up", async () => {
  await withDirectory(async (directory) => {
    const socket = `${directory}/s`;
    const node = new FakeNode();
    const server = await serveApi(node, { socket, closeLimitMs: 1 });
    const connections = await Promise.all(Array.from({ length: 8 }, async () => {
      const connection = await Deno.connect({ transport: "unix", path: socket });
      await connection.write(new TextEncoder().encode(ask("GET /v1/events")));
      // The head of the answer: the stream is open. After it this client reads no more.
      await connection.read(new Uint8Array(64));
      return connection;
    }));
    assert.equal(node.listeners, 8);
    for (let i = 0; i < 500; i++) node.say("x".repeat(1000));
    await server.close();
    for (const connection of connections) connection.close();
    assert.equal(node.listeners, 0);
  });
});

Deno.test("serveApi() makes its socket again where somebody took it, or its folder, away", async () => {
  await withServer(async (_node, socket) => {
    const directory = socket.slice(0, socket.lastIndexOf("/"));
    for (const lost of [socket, directory]) {
      Deno.removeSync(lost, { recursive: true });
      for (;;) {
        const answer = await raw({ transport: "unix", path: socket }, ask("GET /v1/status"))
          .catch(() => null);
        if (answer?.status === 200) break;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      assert.equal((Deno.statSync(socket).mode ?? 0) & 0o777, 0o660);
    }
  }, { lookMs: 5 });
});
