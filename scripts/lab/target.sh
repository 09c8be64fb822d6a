#!/bin/bash
# Inside a lab host: a SAN.   target.sh lio BYTES | tgt BYTES
#   lio     the kernel's target, on port 3260: /disk/lio.img over iSCSI
#   tgt     the userspace target, on port 3261: /disk/tgt.img over iSCSI
# There is no way to take LIO down here: in kernel 6.1 that waits for sessions that come back all the
# time. An array that restarts is a power cut of its host.
set -eu
IQN=iqn.2026-01.lab
IP=$(ip -4 -br addr show eth1 | sed 's/.* \([0-9.]*\)\/.*/\1/')
CONFIG=/sys/kernel/config/target
UNIT=$CONFIG/core/fileio_0/lio
GROUP=$CONFIG/iscsi/$IQN:lio/tpgt_1
# Initiators that may log in: of each host, and of its second nexus. Few, for each costs a process.
NAMES=$(echo "$IQN":h{1,2,3,4}{,-second})

backing() { # FILE BYTES
  [ -f "$1" ] || truncate -s "$2" "$1"
}

lio() {
  modprobe -a target_core_mod target_core_file iscsi_target_mod
  mountpoint -q /sys/kernel/config || mount -t configfs config /sys/kernel/config
  # Where LIO keeps registrations over a restart; without it the first PERSISTENT RESERVE OUT fails.
  mkdir -p /etc/target/pr /var/target/pr
  backing /disk/lio.img "$1"
  mkdir -p "$UNIT"
  echo "fd_dev_name=/disk/lio.img,fd_dev_size=$(stat -c %s /disk/lio.img)" > "$UNIT/control"
  echo "$(< /etc/hostname)-lio" > "$UNIT/wwn/vpd_unit_serial"
  echo 1 > "$UNIT/enable"
  mkdir -p "$GROUP/lun/lun_0"
  ln -s "$UNIT" "$GROUP/lun/lun_0/unit"
  local name
  # shellcheck disable=SC2086
  mkdir $(for name in $NAMES; do echo "$GROUP/acls/$name" "$GROUP/acls/$name/lun_0"; done)
  for name in $NAMES; do ln -s "$GROUP/lun/lun_0" "$GROUP/acls/$name/lun_0/lun"; done
  echo 0 > "$GROUP/attrib/authentication"
  mkdir -p "$GROUP/np/$IP:3260"
  echo 1 > "$GROUP/enable"
}

tgt() {
  backing /disk/tgt.img "$1"
  mkdir -p /run/tgt /var/run/tgtd
  tgtd --iscsi portal="$IP:3261" > /disk/tgtd.log 2>&1
  local admin="tgtadm --lld iscsi" tries
  for tries in $(seq 100); do $admin --op show --mode sys > /dev/null 2>&1 && break; sleep 0.1; done
  $admin --op new --mode target --tid 1 -T "$IQN:tgt"
  $admin --op new --mode logicalunit --tid 1 --lun 1 -b /disk/tgt.img
  $admin --op bind --mode target --tid 1 -I ALL
}

case ${1:-} in
  lio) lio "$2" ;;
  tgt) tgt "$2" ;;
  *) sed -n '2,4p' "$0" >&2; exit 2 ;;
esac
