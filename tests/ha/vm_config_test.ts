/** Definitions of virtual machines, and the command lines that come of them. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { vmCommand } from "../../mod/ha/agents/vm_command.ts";
import { readVmConfig } from "../../mod/ha/agents/vm_config.ts";

const MAC = "BC:24:11:00:00:01";
const GROUND = { vmid: 100, kvm: true, sockets: "/run/x/vm-100" };

function command(text: string, more: Partial<typeof GROUND> = {}): readonly string[] {
  const { config, faults } = readVmConfig(text);
  assert.deepEqual(faults, []);
  return vmCommand(config, { ...GROUND, ...more });
}

/** The words that follow `option`. */
function of(words: readonly string[], option: string): string[] {
  return words.flatMap((word, at) => word === option ? [words[at + 1] ?? ""] : []);
}

Deno.test("a machine as Proxmox VE writes it is whole, and what it is about to be is left alone", () => {
  const text = `#a web server
agent: 1
boot: order=scsi0;ide2;net0
cores: 2
cpu: x86-64-v2-AES
ide2: none,media=cdrom
machine: q35
memory: 2048
meta: creation-qemu=9.0.2,ctime=1
name: web.example
net0: virtio=${MAC},bridge=vmbr0,firewall=1
numa: 0
onboot: 1
ostype: l26
scsi0: /dev/vg/vm-100,discard=on,iothread=1,size=32G
scsihw: virtio-scsi-single
serial0: socket
smbios1: uuid=0
sockets: 2

[PENDING]
memory: nonsense

[before-upgrade]
cores: 99
`;
  const { config, faults, warnings, sections } = readVmConfig(text);
  assert.deepEqual(faults, []);
  assert.deepEqual(sections, ["PENDING", "before-upgrade"]);
  assert.deepEqual(warnings.map(({ line, why }) => `${line} ${why}`), [
    '11 net0: "firewall" has no effect here',
    '12 "numa" has no effect here',
    '15 scsi0: "iothread" has no effect here',
    '18 "smbios1" has no effect here',
  ]);
  const words = vmCommand(config, GROUND);
  assert.deepEqual(words.slice(0, 3), ["qemu-system-x86_64", "-name", "guest=web.example"]);
  assert.ok(words.includes("-S"));
  assert.deepEqual(of(words, "-machine"), ["q35,accel=kvm:tcg"]);
  assert.deepEqual(of(words, "-cpu"), ["qemu64,+popcnt,+pni,+sse4.1,+sse4.2,+ssse3,+aes"]);
  assert.deepEqual(of(words, "-smp"), ["4,sockets=2,cores=2"]);
  assert.deepEqual(of(words, "-m"), ["2048M"]);
  assert.deepEqual(of(words, "-qmp"), ["unix:/run/x/vm-100.qmp,server=on,wait=off"]);
  assert.deepEqual(of(words, "-drive"), [
    "if=none,id=drive-ide2,media=cdrom,readonly=on",
    "file=/dev/vg/vm-100,if=none,id=drive-scsi0,media=disk,format=raw,cache=none,discard=on",
  ]);
  assert.deepEqual(of(words, "-netdev"), ["tap,id=net0,ifname=tap100i0,script=no,downscript=no"]);
  assert.deepEqual(of(words, "-device"), [
    "virtio-scsi-pci,id=scsihw0",
    "ide-cd,bus=ide.2,drive=drive-ide2,id=ide2,bootindex=101",
    "scsi-hd,bus=scsihw0.0,channel=0,scsi-id=0,lun=0,drive=drive-scsi0,id=scsi0,bootindex=100",
    "virtio-net-pci,mac=bc:24:11:00:00:01,netdev=net0,id=net0,bootindex=102",
    "isa-serial,chardev=serial0",
    "virtio-serial-pci,id=qga",
    "virtserialport,chardev=qga0,name=org.qemu.guest_agent.0",
  ]);
});

for (
  const [text, option, words] of [
    ["", "-machine", ["pc,accel=kvm:tcg"]],
    ["kvm: 0", "-machine", ["pc,accel=tcg"]],
    ["machine: pc-q35-7.2+pve1", "-machine", ["pc-q35-7.2,accel=kvm:tcg"]],
    ["", "-cpu", ["kvm64"]],
    ["kvm: 0\ncpu: host,flags=+aes;-pcid", "-cpu", ["max,+aes,-pcid"]],
    ["cpu: cputype=host", "-cpu", ["host"]],
    ["memory: current=64", "-m", ["64M"]],
    ["vga: qxl,memory=32", "-vga", ["qxl"]],
    ["vga: serial0", "-vga", ["none"]],
    ["args: -a 'b c'", "-a", ["b c"]],
    ["sata3: /a,,b", "-drive", null],
    [`net1: e1000=${MAC}`, "-netdev", ["user,id=net1"]],
    [`net1: model=rtl8139,macaddr=${MAC}`, "-device", [
      "rtl8139,mac=bc:24:11:00:00:01,netdev=net1,id=net1,bootindex=100",
    ]],
    ["ide3: /d\nboot: c", "-device", [
      "ide-hd,bus=ide.1,unit=1,drive=drive-ide3,id=ide3,bootindex=100",
    ]],
    ["scsi9: /d\nboot: n", "-device", [
      "lsi53c895a,id=scsihw1",
      "scsi-hd,bus=scsihw1.0,scsi-id=2,drive=drive-scsi9,id=scsi9",
    ]],
    ["serial1: /dev/ttyS0", "-chardev", ["serial,id=serial1,path=/dev/ttyS0"]],
    ["bios: ovmf\nefidisk0: /v.qcow2", "-drive", [
      "if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd",
      "if=pflash,unit=1,format=qcow2,file=/v.qcow2",
    ]],
  ] as const
) {
  Deno.test(`a line of a machine's definition: ${text.replaceAll("\n", ", ")} ${option}`, () => {
    if (words === null) assert.notDeepEqual(readVmConfig(text).faults, []);
    else assert.deepEqual(of(command(text), option), words);
  });
}

Deno.test("without the processor's help, and in a folder with a comma", () => {
  const words = command("serial0: socket", { kvm: false, sockets: "/r,un/vm" });
  assert.deepEqual(of(words, "-machine"), ["pc,accel=tcg"]);
  assert.deepEqual(of(words, "-cpu"), ["qemu64"]);
  assert.deepEqual(of(words, "-chardev"), [
    "socket,id=serial0,path=/r,,un/vm.serial0,server=on,wait=off",
  ]);
});

for (
  const [line, why] of [
    ["memory", /"memory" is not "key: value"/],
    ["memory: 8", /"8" is no number from 16/],
    ["cores: 0", /cores: "0" is no number from 1/],
    ["name: a b", /is no DNS name/],
    ["cpu: custom-mine", /in Proxmox VE only/],
    ["cpu: host,flags=aes", /"aes" is no flag/],
    ["bios: uefi", /none of seabios, ovmf/],
    ["bios: ovmf", /add that/],
    ["machine: virt", /none of pc, q35/],
    ["boot: order=hd0", /"hd0" is no device/],
    ["scsihw: fast", /none of lsi/],
    ["scsi31: /d", /scsi0 to scsi30/],
    ["scsi0: local-lvm:vm-100-disk-0,size=1G", /only a host with qm can open/],
    ["scsi0: none", /media=cdrom/],
    ["virtio0: /a/../b", /leads back/],
    ["virtio0: /a,cache=fast", /cache "fast" is none of/],
    ["virtio0: /a,cache=none,cache=none", /"cache" is there twice/],
    [`net0: fast=${MAC}`, /names no model/],
    ["net0: virtio,bridge=vmbr0", /no hardware address/],
    ["net0: virtio=01:00:00:00:00:01", /a group's address/],
    [`net0: virtio=${MAC},bridge=a/b`, /no name of a bridge/],
    [`net0: virtio=${MAC},bridge=vmbr0,tag=7`, /a bridge of that VLAN's own/],
    ["serial4: socket", /serial0 to serial3/],
    ["serial0: /etc/passwd", /neither socket nor a device/],
    ["args: 'open", /quote is not closed/],
    ["vga: cga", /none of std/],
    ["agent: maybe", /neither 1 nor 0/],
    ["lock: create", /locked by "create"/],
    ["template: 1", /clone it/],
    ["name: a\u0001", /control character/],
  ] as const
) {
  Deno.test(`refused with its line: ${line}`, () => {
    const { faults } = readVmConfig(`# first\n${line}\nsockets: 1\n`);
    assert.deepEqual(faults.map((fault) => fault.line), [2]);
    assert.match(faults[0]?.why ?? "", why);
  });
}

Deno.test("a key that is there twice is refused, and a lock of the dead is void", () => {
  assert.match(readVmConfig("cores: 1\ncores: 2").faults[0]?.why ?? "", /already, in line 1/);
  assert.deepEqual(readVmConfig("lock: backup").faults, []);
});

Deno.test("no text makes reading throw, and what is told is bounded and has its line", () => {
  const key = fc.constantFrom(
    ...["name", "cores", "memory", "cpu", "boot", "machine", "scsi0", "virtio99", "net0", "args"],
    ...["ide2", "serial0", "vga", "agent", "efidisk0", "[x]", "#", "unknown", "scsihw", "lock"],
  );
  const value = fc.string({ unit: fc.constantFrom(..."a01:=,;/. '\"-+\u0000\n") });
  const line = fc.tuple(key, value).map(([name, text]) => `${name}: ${text}`);
  fc.assert(fc.property(fc.array(line, { maxLength: 60 }), (lines) => {
    const text = lines.join("\n");
    const { config, faults, warnings } = readVmConfig(text);
    assert.ok(faults.length <= 32 && warnings.length <= 32);
    const count = text.split("\n").length;
    for (const remark of [...faults, ...warnings]) {
      assert.ok(remark.line >= 1 && remark.line <= count);
    }
    // A line of the file is never two words of QEMU's by accident.
    const words = vmCommand({ ...config, args: [] }, GROUND);
    // deno-lint-ignore no-control-regex
    for (const word of words) assert.doesNotMatch(word, /[\u0000-\u001f]/);
  }));
});

Deno.test("a path with commas stays one value of QEMU's", () => {
  const part = fc.string({ unit: fc.constantFrom(..."ab.-_ "), minLength: 1 });
  fc.assert(fc.property(part.filter((name) => name.trim() === name && name !== ".."), (name) => {
    const [drive = ""] = of(command(`virtio0: /x/${name},cache=writeback`), "-drive");
    const values = drive.replaceAll(",,", "\0").split(",").map((each) =>
      each.replaceAll("\0", ",")
    );
    assert.equal(values.find((each) => each.startsWith("file=")), `file=/x/${name}`);
  }));
});

Deno.test("a file that is too long, or has too many lines, is not begun with", () => {
  assert.match(readVmConfig("x".repeat(300_000)).faults[0]?.why ?? "", /longer than/);
  assert.match(readVmConfig("\n".repeat(3000)).faults[0]?.why ?? "", /more than 2048 lines/);
});
