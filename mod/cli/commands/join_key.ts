/** `pentad join renew-key`: another key for the whole cluster, while it runs. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { RenewKeyAnswer, RenewKeyAsk } from "../../api/key_node.ts";
import { ProblemError } from "../../base/problem.ts";
import type { Description } from "../../join/mod.ts";
import type { Cli } from "../cli.ts";
import { renewTrust } from "../join/trust.ts";

const LOOK_MS = 200;

const STAGES: Readonly<Record<RenewKeyAnswer["stage"], string>> = {
  offer: "everybody gets the new key",
  use: "everybody seals with the new key",
  done: "the old key is refused",
};

/** The command; it is repeated safely, on any member. */
export function renewKeyCommand(cli: Cli): CommandUnknownOpts {
  return new Command("renew-key")
    .description("replace the cluster's key on all members, without stopping anything")
    .option("--cancel", "take the offer of a new key back, while nobody uses it")
    .option("--ssh", "instead: the pair by which this host's root logs in to the other nodes")
    .action(async ({ cancel = false, ssh = false }) => {
      if (ssh && cancel) throw new ProblemError("cli.usage", "--cancel is not for --ssh");
      if (ssh) return await renewSsh(cli);
      const ask = (how: RenewKeyAsk["how"]) =>
        cli.client.change<RenewKeyAnswer>("POST", "/v1/join/renew-key", {
          json: { how },
          limitMs: cli.waitMs,
        });
      const answer = cancel ? await ask("cancel") : await renew(cli, ask);
      if (cli.print.format === "json") return cli.print.json(answer);
      if (cancel) return cli.print.note(`no other key is offered; key ${answer.id} goes on`);
      cli.print.note(`the cluster's key is ${answer.id}; the one before opens nothing any more`);
      cli.print.note("backups that were made before hold the old one");
    });
}

async function renewSsh(cli: Cli): Promise<void> {
  const { node } = await cli.client.get<Description>("/v1/join/describe");
  const kept = await renewTrust(cli, node);
  if (cli.print.format === "json") return cli.print.json({ schema: "pentad.renew-ssh/1", kept });
  cli.print.note(`root of "${node}" logs in to the other nodes with another key`);
  cli.print.note(`the one before is in ${kept}, and the cluster lets nobody in with it any more`);
  cli.print.note(
    "where a person let it in (~/.ssh/authorized_keys of a host), it is to be removed there",
  );
}

async function renew(
  cli: Cli,
  ask: (how: RenewKeyAsk["how"]) => Promise<RenewKeyAnswer>,
): Promise<RenewKeyAnswer> {
  const end = performance.now() + cli.waitMs;
  let told = "";
  for (let answer = await ask("start");; answer = await ask("go-on")) {
    const { stage, waiting } = answer;
    if (stage !== told) cli.print.note(`key ${answer.id}: ${STAGES[stage]}`);
    told = stage;
    if (stage === "done") return answer;
    if (performance.now() > end) {
      throw new ProblemError("join.key-waits", `in stage "${stage}", ${waiting.join(", ")}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
