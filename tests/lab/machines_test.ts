/**
 * The one file on bare machines with kernels of their own: by two commands a pair, by one more a
 * cluster of three; then every host of it begins anew, one after the other, under a client.
 */
import assert from "node:assert/strict";
import { labMissing } from "../../scripts/lab/missing.ts";
import { fingerprint, letIn, logsIn } from "../../scripts/ssh_roots.ts";
import { FILE, Machines, type Timed } from "./machines.ts";
import { assertServedOnce, downtimes, Polling } from "./polling.ts";
import { Attendance } from "./attendance.ts";

/** Processor time of one command on all machines: what a person waits for it where nobody else works. */
const WORK_SECONDS = 60;
/** Three drains, boots and ways home. */
const REBOOT_SECONDS = 600;
const ADDRESS = "10.77.1.100";
const PORT = 8080;

const missing = labMissing();
if (missing !== null) console.log(`lab tests are skipped: ${missing}`);

Deno.test({
  name: "the one file on lab hosts",
  ignore: missing !== null,
  ...{ sanitizeOps: false, sanitizeResources: false },
  fn: async (t) => {
    const machines = await Machines.make(3);
    const step = async (name: string, body: (machines: Machines) => Promise<void>) => {
      const went = await t.step(name, async () => {
        try {
          await body(machines);
        } catch (error) {
          for (const node of machines.nodes) console.log(`${node.log()}\n${await node.events()}`);
          throw error;
        }
      });
      assert.ok(went, "each step goes on from the one before");
    };
    try {
      await step("two commands make a pair of bare machines", pair);
      await step("one more command, and they are three", third);
      await step("a rolling reboot under a client", rolling);
    } finally {
      await machines.close();
    }
  },
});

async function pair(machines: Machines): Promise<void> {
  ended(await machines.timed(0, `${FILE} install && pentad init prod`), "the first");
  await letIn(machines, 1, 0);
  await joins(machines, 1);
  await machines.whole(2);
}

async function third(machines: Machines): Promise<void> {
  await letIn(machines, 2, 0);
  await joins(machines, 2);
  await machines.whole(3);
  for (const [from, to] of [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]] as const) {
    assert.equal(await logsIn(machines, from, to), "in", `h${from + 1} on h${to + 1}`);
  }
}

async function joins(machines: Machines, at: number): Promise<void> {
  const join = `pentad join root@${machines.address(0)} --fingerprint`;
  const command = `${FILE} install && ${join} ${await fingerprint(machines, 0)}`;
  ended(await machines.timed(at, command), `h${at + 1}`);
}

function ended({ code, err, seconds, work }: Timed, who: string): void {
  assert.equal(code, 0, err);
  console.log(
    `${who} was ready after ${seconds.toFixed(1)} s, ${work.toFixed(1)} s of its processors`,
  );
  assert.ok(work < WORK_SECONDS, `${work} s of work`);
}

async function rolling(machines: Machines): Promise<void> {
  const pentad = async (words: string) => {
    const { code, err } = await machines.shell(0, `pentad ${words}`);
    assert.equal(code, 0, `pentad ${words}: ${err}`);
  };
  await pentad(`ha add ip:${ADDRESS} --cidr 24 --interface eth1`);
  await pentad(`ha add exec:web --command '/lab/server.sh ${PORT}'`);
  await pentad(
    `ha rules add resource-affinity one --resources ip:${ADDRESS},exec:web --affinity positive`,
  );
  const before = await Promise.all(machines.nodes.map((_, at) => machines.bootId(at)));
  const polling = await Polling.start(machines.lab, `http://${ADDRESS}:${PORT}/`);
  const attendance = new Attendance(machines.nodes);
  try {
    await polling.answered();
    // The one that is asked goes last, and its command ends with it.
    const drain = machines.shell(0, "pentad node drain --all --reboot");
    for (const at of [1, 2, 0]) await attendance.comesBack(at, REBOOT_SECONDS);
    const { err } = await drain;
    for (const { name } of machines.nodes.slice(1)) {
      assert.match(err, new RegExp(`"${name}" is back, and everything runs`));
    }
    await machines.whole(3);
    await polling.answered();
  } finally {
    await attendance.end();
    await polling.end();
  }
  const after = await Promise.all(machines.nodes.map((_, at) => machines.bootId(at)));
  for (const [at, id] of before.entries()) assert.notEqual(after[at], id, `h${at + 1} began anew`);
  attendance.assertQuorate();
  for (const line of downtimes(polling.polls)) console.log(line);
  assertServedOnce(machines.lab);
}
