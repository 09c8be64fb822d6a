/** Looks at a host and at the cluster that it is in, as far as either can be seen. @module */
import { parseAddress } from "../../base/address.ts";
import { ProblemError } from "../../base/problem.ts";
import type { Settings } from "../../base/settings.ts";
import { type CheckupAsk, hostFacts } from "../../host/linux/checkup.ts";
import { linkAt } from "../../host/linux/files.ts";
import { answersPing } from "../../host/linux/ping.ts";
import { missingPrograms } from "../../host/linux/ssh.ts";
import type { Description } from "../../join/mod.ts";
import type { StatusDocument } from "../../node/view.ts";
import type { Cli } from "../cli.ts";
import { readSettingsFile } from "../settings_file.ts";
import { clusterFindings } from "./cluster_findings.ts";
import { type Finding, ill, well } from "./finding.ts";
import { hostFindings } from "./host_findings.ts";
import { addressFindings, knownFindings, type WayFacts, wayFindings } from "./network_findings.ts";

/** What the daemon answered. */
interface Answers {
  readonly status: StatusDocument;
  readonly description: Description;
  readonly unsealed: number;
}

/** Where a node has its things unless its settings say otherwise. */
const UNTOLD = { state: "/var/lib/pentad", mount: "/etc/pve" };
/** A beat at its longest is 1452 bytes of UDP; ICMP's header is as long as UDP's. */
const PING_BYTES = 1452;
/** Ways that are tried at once. */
const WAYS_AT_ONCE = 16;
const SMALL_PING_BYTES = 56;
/** Keys that ssh-keygen(1) makes by these names. */
const SSH_KEYS = ["id_ed25519", "id_ecdsa", "id_rsa"];
const NOBODY_ELSE = 0o077;
/** The settings' group may read them. */
const NO_OTHERS = 0o027;

/** Every finding about this host; what cannot be asked is a finding too. */
export async function checkHost(cli: Cli, path: string, version: string): Promise<Finding[]> {
  const { settings, finding } = await settingsAt(cli, path);
  const { answers, reach } = await askDaemon(cli);
  const { state, mount: target } = settings ?? UNTOLD;
  const mount = target === "off" ? null : target;
  const ask: CheckupAsk = {
    ...{ root: "", state, mount, disks: settings?.disks ?? [] },
    secrets: secretsOf(cli.home, state, path),
  };
  const facts = hostFacts(ask);
  const watchdog = settings?.watchdog ?? "auto";
  const daemon = answers !== null;
  const addresses = settings === null
    ? []
    : addressFindings(settings, Deno.networkInterfaces(), facts.mtus);
  return [
    finding,
    ...hostFindings(facts, { state, mount, watchdog, daemon }),
    ...addresses,
    await ofPrograms(),
    reach,
    ...(answers === null ? [] : [
      ...clusterFindings({ ...answers, version: answers.description.version }, version),
      ...ofKnown(answers.description, settings),
      ...await ofWays(answers.description),
    ]),
  ];
}

async function settingsAt(
  cli: Cli,
  path: string,
): Promise<{ readonly settings: Settings | null; readonly finding: Finding }> {
  try {
    const settings = await readSettingsFile(cli.io, path);
    return { settings, finding: well("settings", `"${path}" is well: node "${settings.name}"`) };
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    const { code, why } = error.problem;
    // A host on which pentad was not installed yet is none that is ill.
    const missing = code === "settings.unreadable" && linkAt(path) === null;
    const finding = missing
      ? ill("warn", "settings", `"${path}" is not there`, "pentad install writes it")
      : ill("fail", "settings", why, `mend it, then: pentad daemon --check --settings "${path}"`);
    return { settings: null, finding };
  }
}

/** Files of a node that would open the cluster, or this host, to whoever reads or writes them. */
function secretsOf(home: string, state: string, settings: string): CheckupAsk["secrets"] {
  const own = [state, `${state}/node.json`, `${state}/config.db`, `${state}/config.db-wal`];
  const ssh = SSH_KEYS.map((name) => `${home}/.ssh/${name}`);
  return [
    { path: settings, forbidden: NO_OTHERS },
    ...[...own, `${state}/backup`, `${home}/.ssh`, ...ssh]
      .map((path) => ({ path, forbidden: NOBODY_ELSE })),
  ];
}

async function askDaemon(
  cli: Cli,
): Promise<{ readonly answers: Answers | null; readonly reach: Finding }> {
  try {
    const status = await cli.client.get<StatusDocument>("/v1/status");
    const description = await cli.client.get<Description>("/v1/join/describe");
    const unsealed = status.cluster === null ? 0 : await unsealedBeats(cli);
    const answers = { status, description, unsealed };
    return { answers, reach: well("daemon", `the daemon of "${description.node}" answers`) };
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    const fix = "systemctl start pentad; if it does not stay: journalctl -u pentad";
    return { answers: null, reach: ill("warn", "daemon", error.problem.why, fix) };
  }
}

async function unsealedBeats(cli: Cli): Promise<number> {
  const { view } = await cli.client.get<{ view: { refused?: { seal?: number } } }>("/v1/heartbeat");
  return view.refused?.seal ?? 0;
}

function ofKnown({ cluster, node, nodes }: Description, settings: Settings | null): Finding[] {
  const known = nodes.find(({ name }) => name === node);
  if (cluster === null || settings === null || known === undefined) return [];
  return knownFindings(settings, known);
}

async function ofPrograms(): Promise<Finding> {
  const missing = await missingPrograms();
  if (missing.length === 0) return well("programs", "what a join over SSH needs is there");
  const what = `a join over SSH needs ${missing.map(({ program }) => program).join(", ")}`;
  const packages = [...new Set(missing.map((each) => each.package))].join(" ");
  return ill("warn", "programs", what, `apt install ${packages}, or join with a ticket`);
}

async function ofWays({ cluster, node, nodes }: Description): Promise<Finding[]> {
  if (cluster === null) return [];
  const ways = nodes.filter(({ name }) => name !== node).flatMap(({ name, links }) =>
    links.map((link) => ({ name, host: parseAddress(link)?.hostname ?? link }))
  );
  const found: WayFacts[] = [];
  for (let at = 0; at < ways.length; at += WAYS_AT_ONCE) {
    const tried = await Promise.all(ways.slice(at, at + WAYS_AT_ONCE).map(tryWay));
    if (tried.includes(null)) {
      return [well("way", "not looked at: this host has no ping (package iputils-ping)")];
    }
    found.push(...tried.filter((each) => each !== null));
  }
  return wayFindings(found);
}

async function tryWay(
  { name, host }: { readonly name: string; readonly host: string },
): Promise<WayFacts | null> {
  const wide = await answersPing(host, PING_BYTES);
  if (wide === null) return null;
  const answers = wide || await answersPing(host, SMALL_PING_BYTES) === true;
  return { way: `${name} over ${host}`, answers, wide };
}
