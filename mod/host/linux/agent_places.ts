/**
 * Where OCF agents find what they need: their root, a folder for their state, and stand-ins for the
 * programs of Pacemaker that they call. Ours come first in PATH: where Pacemaker is installed and
 * does not run, its own would hang.
 *
 * @module
 */
import type { AgentPlaces } from "../process_port.ts";

const OCF_ROOT = "/usr/lib/ocf";
/** HA_RSCTMP of resource-agents; tmpfiles.d makes it where systemd runs. */
const AGENT_STATE = "/run/resource-agents";
const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Programs that agents call about the cluster. */
const NAMES = [
  ...["crm_attribute", "attrd_updater", "crm_node", "crm_master", "crm_mon", "crm_resource"],
  ...["cibadmin", "crm_standby", "crm_failcount", "crmadmin", "stonith_admin"],
];

/**
 * Attributes are kept on this node, for its agents only; what only Pacemaker could answer is refused
 * with a sentence. `-n` and `-N` are used for several things, so each program reads its own.
 */
const STAND_IN = `#!/bin/sh
# Made by pentad: a stand-in for a program of Pacemaker that OCF agents call.
program=\${0##*/}
store="\${0%/*}/attributes"
refuse() { echo "$program: this host is run by pentad: $*" >&2; exit 1; }
case $program in
crm_node)
  case $1 in
  -n|--name|-N*|--name-for-id*) echo "$PENTAD_NODE_NAME"; exit 0 ;;
  -q|--quorum) echo 1; exit 0 ;;
  -p|--partition) echo "$PENTAD_NODE_NAME"; exit 0 ;;
  esac
  refuse "it does not know $1" ;;
crm_attribute|attrd_updater|crm_master) ;;
*) refuse "there is no such service" ;;
esac
name=; value=; what=query; default=; quiet=
[ "$program" = crm_master ] && name="master-$OCF_RESOURCE_INSTANCE"
while [ $# -gt 0 ]; do
  case $1 in
  -n|--name|--attr-name) name=$2; shift ;;
  --name=*|--attr-name=*) name=\${1#*=} ;;
  -v|--attr-value|-U|--update|-B|--update-both) value=$2; what=update; shift ;;
  --attr-value=*|--update=*|--update-both=*) value=\${1#*=}; what=update ;;
  -D|--delete) what=delete ;;
  -d|--default) default=$2; shift ;;
  --default=*) default=\${1#*=} ;;
  -Q) [ "$program" = attrd_updater ] || quiet=1 ;;
  --quiet|-q) quiet=1 ;;
  -l|--lifetime|-N|--node|-t|--type|-s|--set-name|--delay|-S) shift ;;
  esac
  shift
done
case $name in ''|*/*|.*) refuse "an attribute needs a plain name" ;; esac
mkdir -p "$store"
case $what in
update) printf '%s\\n' "$value" >"$store/.$name.$$" && mv "$store/.$name.$$" "$store/$name" ;;
delete) rm -f "$store/$name" ;;
query)
  if [ -f "$store/$name" ]; then value=$(cat "$store/$name")
  elif [ -n "$default" ]; then value=$default
  else echo "Error performing operation: No such device or address" >&2; exit 105; fi
  if [ "$program" = attrd_updater ] && [ -z "$quiet" ]; then
    echo "name=\\"$name\\" host=\\"$PENTAD_NODE_NAME\\" value=\\"$value\\""
  elif [ -n "$quiet" ] || [ "$program" = crm_master ]; then echo "$value"
  else echo "scope=status name=$name value=$value"; fi ;;
esac
`;

/** Makes the stand-ins in `folder`, where there are agents at all; names what agents are run with. */
export function agentPlaces(folder: string, root: string = OCF_ROOT): AgentPlaces {
  const places = { ocf: root, path: `${folder}:${SYSTEM_PATH}` };
  try {
    if (!Deno.statSync(`${root}/resource.d`).isDirectory) return places;
  } catch {
    return places;
  }
  Deno.mkdirSync(folder, { recursive: true, mode: 0o755 });
  for (const name of NAMES) {
    Deno.writeTextFileSync(`${folder}/.new`, STAND_IN, { mode: 0o755 });
    Deno.renameSync(`${folder}/.new`, `${folder}/${name}`);
  }
  try {
    Deno.mkdirSync(AGENT_STATE, { recursive: true, mode: 0o755 });
  } catch {
    // Not root: agents that need it will say so.
  }
  return places;
}
