/** Where pentad lies on a host, and the files that it brings (hier(7), FHS 3.0). Pure. @module */
import { MAN_MARK } from "../man_mark.ts";
import { isNodeName } from "../../base/id.ts";
import { ProblemError } from "../../base/problem.ts";

/** Below `root`: "" on a host, a folder for a test or an image. */
export interface Places {
  readonly root: string;
  /** Versions of the program, each in a folder of its own. */
  readonly versions: string;
  /** What people call; a link, and the link is the upgrade. */
  readonly program: string;
  /** A link to the version that was in use before. */
  readonly previous: string;
  readonly settings: string;
  readonly unit: string;
  readonly completion: string;
  /** The manual; a folder in it for each section. */
  readonly man: string;
  readonly state: string;
  /** Where the one file unpacks itself for root. */
  readonly cache: string;
}

export function placesBelow(root: string): Places {
  return {
    root,
    versions: `${root}/opt/pentad`,
    program: `${root}/usr/local/bin/pentad`,
    previous: `${root}/opt/pentad/previous`,
    settings: `${root}/etc/pentad/settings.json`,
    unit: `${root}/etc/systemd/system/pentad.service`,
    completion: `${root}/usr/share/bash-completion/completions/pentad`,
    man: `${root}/usr/local/share/man`,
    state: `${root}/var/lib/pentad`,
    cache: `${root}/var/cache/pentad`,
  };
}

/** Links that say which change is under way, each to what was in use before it. */
export function announcements(
  { versions }: Places,
): Readonly<Record<"upgrade" | "rollback", string>> {
  return { upgrade: `${versions}/upgrading`, rollback: `${versions}/rolling-back` };
}

/** The file of one version. */
export function versionFile({ versions }: Places, version: string): string {
  return `${versions}/${version}/pentad`;
}

/** True where a link leads to a version of pentad, as this program makes such links. */
export function isOwnLink({ root, versions }: Places, target: string): boolean {
  const inside = versions.slice(root.length);
  return target.startsWith(`${inside}/`) && /^[^/]+\/pentad$/.test(target.slice(inside.length + 1));
}

/** True where a unit, a completion or a page of the manual is one that some version of this program wrote. */
export function isOwnText(text: string): boolean {
  return text.includes("\nExecStart=/usr/local/bin/pentad daemon\n") ||
    text.startsWith("_pentad_words() {") || text.startsWith(MAN_MARK);
}

/**
 * The unit (systemd.service(5)). No mount namespace: the tree's mount would stay inside it. No bound
 * on capabilities and no NoNewPrivileges: what the daemon starts, and an agent that calls sudo, would
 * inherit them. A stop takes the daemon only (KillMode): resources live in control groups of their
 * own, and they and the keeper go on.
 */
export const UNIT = `[Unit]
Description=pentad cluster node
Documentation=man:pentad(8)
After=network-online.target local-fs.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart=/usr/local/bin/pentad daemon
WatchdogSec=10s
Restart=always
RestartSec=500ms
TimeoutStartSec=2min
TimeoutStopSec=5min
KillMode=process
OOMScoreAdjust=-1000
MemorySwapMax=0
RuntimeDirectory=pentad
RuntimeDirectoryPreserve=restart
RuntimeDirectoryMode=0750
StateDirectory=pentad
StateDirectoryMode=0700

[Install]
WantedBy=multi-user.target
`;

/** Ports of the heartbeat and of the peers, as the settings of a new host name them. */
const LINK_PORT = 5405;
const PEER_PORT = 5406;

/**
 * The settings of a host of which only name and address are known. Throws a ProblemError where one of
 * them is none.
 */
export function settingsOf(found: { readonly name: string; readonly address: string | null }) {
  const name = found.name.split(".")[0] ?? "";
  if (!isNodeName(name)) {
    throw new ProblemError("install.unknown-host", `"${name}" cannot be a node's name`);
  }
  const { address } = found;
  if (address === null) {
    throw new ProblemError("install.unknown-host", "it has no address that others could reach");
  }
  const host = address.includes(":") ? `[${address}]` : address;
  const settings = {
    name,
    state: "/var/lib/pentad",
    run: "/run/pentad",
    links: [`${host}:${LINK_PORT}`],
    peer: `${host}:${PEER_PORT}`,
    disks: [],
    watchdog: "auto",
  };
  return `${JSON.stringify(settings, null, 2)}\n`;
}
