/**
 * Numbers of the kernel's binary interface that are used here, for each machine that pentad is built
 * for, in one table. Most are the same on both; a test holds all against both machines' headers.
 *
 * @module
 */

/** Named as in C. */
const COMMON = {
  // asm-generic/fcntl.h
  O_WRONLY: 0o1,
  O_RDWR: 0o2,
  O_NONBLOCK: 0o4000,
  O_DSYNC: 0o10000,
  O_CLOEXEC: 0o2000000,
  // unistd.h
  SEEK_END: 2,
  // asm-generic/unistd.h; x86-64 has the same numbers from 424 on.
  SYS_pidfd_send_signal: 424,
  SYS_pidfd_open: 434,
  // linux/time.h
  CLOCK_BOOTTIME: 7,
  // asm-generic/signal.h
  SIGKILL: 9,
  SIGTERM: 15,
  // sys/mount.h
  MS_NOSUID: 2,
  MS_NODEV: 4,
  MS_NOATIME: 1024,
  MNT_FORCE: 1,
  MNT_DETACH: 2,
  UMOUNT_NOFOLLOW: 8,
  // asm-generic/poll.h, sys/eventfd.h
  POLLIN: 1,
  EFD_NONBLOCK: 0o4000,
  EFD_CLOEXEC: 0o2000000,
  // bits/socket.h, asm-generic/socket.h, netpacket/packet.h
  AF_NETLINK: 16,
  AF_PACKET: 17,
  SOCK_RAW: 3,
  SOCK_NONBLOCK: 0o4000,
  SOCK_CLOEXEC: 0o2000000,
  MSG_DONTWAIT: 0x40,
  SOL_SOCKET: 1,
  SO_ATTACH_FILTER: 26,
  SOL_PACKET: 263,
  PACKET_ADD_MEMBERSHIP: 1,
  // linux/prctl.h, linux/timex.h
  PR_SET_DUMPABLE: 4,
  STA_UNSYNC: 0x0040,
  TIME_ERROR: 5,
  // scsi/sg.h
  SG_IO: 0x2285,
  SG_DXFER_NONE: -1,
  SG_DXFER_TO_DEV: -2,
  SG_DXFER_FROM_DEV: -3,
  // linux/watchdog.h: _IOR('W', 0, struct watchdog_info), _IOR('W', 5, int), _IOWR('W', 6, int),
  // _IOR('W', 7, int)
  WDIOC_GETSUPPORT: 0x80285700,
  WDIOC_KEEPALIVE: 0x80045705,
  WDIOC_SETTIMEOUT: 0xc0045706,
  WDIOC_GETTIMEOUT: 0x80045707,
  WDIOF_SETTIMEOUT: 0x80,
  WDIOF_MAGICCLOSE: 0x100,
} as const;

/** By the name that the runtime has for a machine. */
export const ABI = {
  // arch/x86 has asm-generic/fcntl.h as it is.
  x86_64: { ...COMMON, O_DIRECT: 0o40000 },
  // arch/arm64/include/uapi/asm/fcntl.h
  aarch64: { ...COMMON, O_DIRECT: 0o200000 },
} as const;

/** This machine's. */
export const HERE = ABI[Deno.build.arch];
