/** What ssh(1) prints where it comes to no session, and which problem that is. */
import assert from "node:assert/strict";
import { wayFault } from "../../mod/host/linux/ssh.ts";

const TABLE: readonly (readonly [string, string, RegExp])[] = [
  [
    "root@h: Permission denied (publickey).\r\n",
    "join.login",
    /Permission denied \(publickey\)\.$/,
  ],
  [
    "Received disconnect from h port 22:2: Too many authentication failures\nDisconnected from h\n",
    "join.login",
    /Disconnected from h$/,
  ],
  [
    "Unable to negotiate with h port 22: no matching host key type found. Their offer: ssh-dss\n",
    "join.login",
    /Their offer: ssh-dss$/,
  ],
  [
    "No ED25519 host key is known for h\nHost key verification failed.\n",
    "join.host-key",
    /failed/,
  ],
  ["ssh: connect to host h port 22: Connection timed out\n", "join.no-way", /timed out$/],
  ["ssh: connect to host h port 22: Connection refused\n", "join.no-way", /refused$/],
  ["ssh: Could not resolve hostname h: Name or service not known\n", "join.no-way", /not known$/],
  ["Timeout, server h not responding.\r\n", "join.no-way", /not responding\.$/],
  // A master that went away leaves its client without a word.
  ["", "join.no-way", /"root@h": it ended without a word$/],
  [
    "ssh: connect to host h port 22: No route to host\nrsync: connection unexpectedly closed (0 " +
    "bytes received so far) [Receiver]\nrsync error: unexplained error (code 255) at io.c(285)\n",
    "join.no-way",
    /No route to host$/,
  ],
];

for (const [said, code, why] of TABLE) {
  Deno.test(`wayFault() of ${JSON.stringify(said.slice(0, 60))} is ${code}`, () => {
    const { problem } = wayFault("root@h", said);
    assert.equal(problem.code, code);
    assert.match(problem.why, why);
  });
}
