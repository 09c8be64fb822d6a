#!/bin/bash
# The first process of a lab host, run twice: as init of the bare kernel, which builds the host's
# root and moves into it; then (INSIDE=1) in there, for good. LABDIR, LABHOST and LABNICS come with
# the kernel's command line. See README.md here.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8

build_root() {
  mount -t proc proc /proc
  mount -t tmpfs tmpfs /tmp
  cd /tmp || exit 1
  mkdir -p kernel/lib/modules own root
  ln -s "/usr/lib/uml/modules/$(uname -r)" kernel/lib/modules/
  modprobe -d /tmp/kernel overlay || exit 1
  mount -t ext4 /dev/ubda own || exit 1
  mkdir -p own/.changes own/.work own/.home
  mount -t overlay -o lowerdir=/,upperdir=/tmp/own/.changes,workdir=/tmp/own/.work root root || exit 1
  mkdir -p root/disk root/lab root/outside
  mount -n --move own root/disk
  mount -t hostfs -o "$LABDIR/share" share root/lab
  cd root && pivot_root . outside && INSIDE=1 exec chroot . /lab/host.sh
}

mount_all() {
  mount -t proc proc /proc
  mount -t sysfs sys /sys
  mount -t devtmpfs dev /dev
  umount -l /outside
  mkdir -p /dev/pts /dev/shm
  mount -t devpts devpts /dev/pts
  for place in /dev/shm /run /tmp; do mount -t tmpfs -o mode=1777 tmpfs $place; done
  # What the initiator remembers is not synced, and half of it is no use after a power cut.
  mkdir -p /etc/iscsi
  mount -t tmpfs tmpfs /etc/iscsi
  mkdir /etc/iscsi/nodes /etc/iscsi/ifaces /etc/iscsi/send_targets
  mount -t cgroup2 cgroup /sys/fs/cgroup
  mount --bind /disk/.home /root
  mkdir -p /run/lock /run/sshd /usr/lib/modules
  ln -sfn "/usr/lib/uml/modules/$(uname -r)" "/usr/lib/modules/$(uname -r)"
  ln -sfn /proc/self/fd /dev/fd
  ln -sfn /proc/self/mounts /etc/mtab
}

# The kernel has a watchdog of its own at /dev/watchdog, which this replaces by softdog. Its
# parameters may lie outside: with soft_noboot=1 it is one that stood still when it was needed.
watchdog() {
  local parameters=/lab/$LABHOST.softdog
  # shellcheck disable=SC2046
  modprobe softdog $([ ! -f "$parameters" ] || cat "$parameters") && rm -f /dev/watchdog && ln -s watchdog1 /dev/watchdog
}

network() {
  hostname "$LABHOST"
  echo "$LABHOST" > /etc/hostname
  { echo '127.0.0.1 localhost'; echo '::1 localhost'; cat /lab/hosts; } > /etc/hosts
  : > /etc/resolv.conf
  ip link set lo up
  local nic
  for ((nic = 0; nic < LABNICS; nic++)); do
    ip link set "vec$nic" name "eth$nic"
    ip addr add "10.77.$nic.${LABHOST#h}/24" dev "eth$nic"
    ip link set "eth$nic" up
  done
}

# Root of any host gets into any other with the lab's one key, over the net for orders.
remote_login() {
  mkdir -p /root/.ssh /etc/ssh/ssh_config.d
  cat > /etc/ssh/ssh_config.d/lab.conf << END
Host h* 10.77.*
  IdentityFile /lab/keys/lab
  GlobalKnownHostsFile /lab/known_hosts
END
  cat > /run/sshd_config << END
ListenAddress 10.77.0.${LABHOST#h}
HostKey /lab/keys/$LABHOST
AuthorizedKeysFile /lab/keys/lab.pub .ssh/authorized_keys
StrictModes no
UsePAM no
UseDNS no
PermitRootLogin yes
PasswordAuthentication no
MaxSessions 50
Subsystem sftp internal-sftp
SetEnv PATH=$PATH
END
  /usr/sbin/sshd -f /run/sshd_config
}

# Orders that need no network: a number comes over the serial line, the rest lies in a folder.
serve_console() {
  local box=/lab/$LABHOST number
  exec 9< /dev/ttyS0
  cut -d' ' -f1 /proc/uptime > "$box/ready"
  while :; do
    IFS= read -r number <&9 || { sleep 0.5; continue; }
    [ -f "$box/$number.order" ] || continue
    { bash "$box/$number.order" < /dev/null > "$box/$number.output" 2>&1 9<&-
      echo $? > "$box/$number.code.new"
      mv "$box/$number.code.new" "$box/$number.code"; } &
  done
}

[ -n "${INSIDE:-}" ] || build_root
unset INSIDE
cd / || exit 1
mount_all
watchdog
network
remote_login
[ ! -x /disk/boot.sh ] || setsid /disk/boot.sh < /dev/null > /disk/boot.log 2>&1 &
serve_console
