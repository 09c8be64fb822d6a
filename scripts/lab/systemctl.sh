#!/bin/bash
# Inside a lab host, as `systemctl`: what pentad asks of systemd, where none runs. A unit is ready
# when its socket in /run is there; a reboot stops what runs in order, then resets the host.
# `systemctl boot`: starts what is enabled.
UNITS=/etc/systemd/system
WANTED=$UNITS/multi-user.target.wants
RUN=/run/units
REBOOT=$RUN/reboot
# In tenths of a second; both as in the unit of pentad.
START_LIMIT=1200 STOP_LIMIT=3000
mkdir -p $WANTED $RUN
exec 8<> <(:)
pause() { read -r -t 0.1 -u 8 || :; }

runs() { # UNIT
  local pid
  [ -f "$RUN/$1" ] && read -r pid < "$RUN/$1" && kill -0 "$pid" 2> /dev/null
}

start() { # UNIT
  runs "$1" && return 0
  local line left=$START_LIMIT
  line=$(sed -n 's/^ExecStart=//p' "$UNITS/$1") || return 1
  # shellcheck disable=SC2086
  setsid $line < /dev/null >> "/lab/$(< /etc/hostname).log" 2>&1 8>&- &
  echo $! > "$RUN/$1"
  until [ -S "/run/${1%.service}/api.sock" ]; do
    runs "$1" && ((left-- > 0)) || return 1
    pause
  done
}

stop() { # UNIT
  local pid left=$STOP_LIMIT
  runs "$1" || return 0
  read -r pid < "$RUN/$1"
  kill -TERM "$pid"
  while runs "$1"; do
    ((left-- > 0)) || kill -KILL "$pid"
    pause
  done
}

enabled() { [ -e "$WANTED/$1" ]; }

reboot() {
  local unit
  for unit in "$WANTED"/*; do stop "${unit##*/}"; done
  sync
  echo b > /proc/sysrq-trigger
}

word=$1 unit=${!#}
case $word in
  boot)
    mkdir -p /run/systemd/system
    for unit in "$WANTED"/*; do [ ! -e "$unit" ] || start "${unit##*/}"; done
    ;;
  daemon-reload) ;;
  start | stop) $word "$unit" ;;
  restart) stop "$unit" && start "$unit" ;;
  enable)
    ln -sfn "$UNITS/$unit" "$WANTED/$unit"
    [ "$2" != --now ] || start "$unit"
    ;;
  disable)
    rm -f "$WANTED/$unit"
    [ "$2" != --now ] || stop "$unit"
    ;;
  is-enabled) enabled "$unit" ;;
  reboot)
    : > $REBOOT
    # Whoever asks is among what it stops.
    setsid "$0" reboot-now < /dev/null > /dev/null 2>&1 &
    ;;
  reboot-now) reboot ;;
  list-jobs) [ ! -e $REBOOT ] || echo "1 reboot.target start waiting" ;;
  *)
    echo "This systemctl does not know: $*" >&2
    exit 1
    ;;
esac
