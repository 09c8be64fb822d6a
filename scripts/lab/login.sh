#!/bin/bash
# Inside a lab host: login.sh lio|tgt TARGET-HOST [second]
# Logs in to a target of target.sh and prints the disk. `second`: under another initiator name, so
# that this host has two nexuses with the same unit.
set -eu
IQN=iqn.2026-01.lab
kind=$1 portal=10.77.1.${2#h}:$([ "$1" = lio ] && echo 3260 || echo 3261) way=${3:-first}
modprobe -a sd_mod sg iscsi_tcp
echo "InitiatorName=$IQN:$(< /etc/hostname)" > /etc/iscsi/initiatorname.iscsi
# A target that is gone is noticed after 4 s, and its commands fail 5 s later.
cat > /etc/iscsi/iscsid.conf << END
node.startup = manual
node.session.timeo.replacement_timeout = 5
node.conn[0].timeo.noop_out_interval = 2
node.conn[0].timeo.noop_out_timeout = 2
END
pidof iscsid > /dev/null || { mkdir -p /run/lock; iscsid; }
face=default
if [ "$way" = second ]; then
  face=second
  iscsiadm -m iface -I second -o new > /dev/null 2>&1 || true
  iscsiadm -m iface -I second -o update -n iface.initiatorname -v "$IQN:$(< /etc/hostname)-second" > /dev/null
fi
# Only this session's disk: its target, and its initiator. Without a process: those are slow here.
disk() {
  local session block
  for session in /sys/class/iscsi_session/session*; do
    [ -e "$session" ] || continue
    [ "$(< "$session/targetname")" = "$IQN:$kind" ] || continue
    [ "$(< "$session/ifacename")" = "$face" ] || continue
    for block in "$session"/device/target*/*/block/*; do
      [ -e "$block" ] && echo "/dev/${block##*/}" && return
    done
  done
  return 0
}
if [ -z "$(disk)" ]; then
  iscsiadm -m node -T "$IQN:$kind" -p "$portal" -I "$face" -o new > /dev/null
  iscsiadm -m node -T "$IQN:$kind" -p "$portal" -I "$face" --login > /dev/null
fi
for tries in $(seq 100); do
  found=$(disk)
  [ -b "$found" ] && { echo "$found"; exit 0; }
  sleep 0.1
done
echo "No disk of $kind at $portal" >&2
exit 1
