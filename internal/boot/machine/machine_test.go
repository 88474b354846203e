package machine

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/config"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

func TestArguments(t *testing.T) {
	for _, test := range []struct {
		name  string
		arch  string
		guest Guest    // without Arch
		want  []string // an option and its value a line
	}{
		{
			name:  "x86_64",
			arch:  "x86_64",
			guest: Guest{Config: config.Config{Kernel: "bzImage", Initramfs: []string{"a b.cpio"}, KernelArgs: []string{"quiet", "rdinit=/sbin/init"}, MemoryMiB: 512, CPUs: 2}},
			want: []string{
				"-no-user-config", "-nodefaults",
				"-machine", "q35", "-cpu", "max", "-accel", "tcg",
				"-m", "512", "-smp", "2",
				"-nic", "none", "-display", "none", "-no-reboot",
				"-serial", "stdio", "-monitor", "none",
				"-kernel", "bzImage", "-initrd", "a b.cpio",
				"-append", "console=ttyS0 panic=-1 no_timer_check=1 quiet rdinit=/sbin/init",
			},
		},
		{
			name:  "arm64, initramfs linked in",
			arch:  "arm64",
			guest: Guest{Config: config.Config{Kernel: "Image", MemoryMiB: 256, CPUs: 1}},
			want: []string{
				"-no-user-config", "-nodefaults",
				"-machine", "virt", "-cpu", "max,pauth-impdef=on",
				"-accel", "tcg", "-m", "256", "-smp", "1",
				"-nic", "none", "-display", "none", "-no-reboot",
				"-serial", "stdio", "-monitor", "none",
				"-kernel", "Image",
				"-append", "console=ttyAMA0 panic=-1",
			},
		},
		{
			name:  "riscv64, interactive",
			arch:  "riscv64",
			guest: Guest{Config: config.Config{Kernel: "Image", Initramfs: []string{"i"}, MemoryMiB: 256, CPUs: 1, Interactive: true}},
			want: []string{
				"-no-user-config", "-nodefaults",
				"-machine", "virt",
				"-accel", "tcg", "-m", "256", "-smp", "1",
				"-nic", "none", "-display", "none", "-no-reboot",
				"-serial", "mon:stdio",
				"-kernel", "Image", "-initrd", "i",
				"-append", "console=ttyS0 panic=-1",
			},
		},
		{
			name: "x86_64, KVM and devices",
			arch: "x86_64",
			guest: Guest{
				Config: config.Config{
					Kernel: "k", MemoryMiB: 256, CPUs: 1, Network: config.NetworkUser, BIOS: "f",
					Disks: []string{"a,b.raw", "c"}, Files: []string{"d,e"}, KernelCmdline: []string{"x"}, KernelArgs: []string{"y"},
				},
				Accelerated: true, GDB: 1234, Environment: []string{"z"},
			},
			want: []string{
				"-no-user-config", "-nodefaults",
				"-machine", "q35", "-cpu", "host", "-accel", "kvm",
				"-m", "256", "-smp", "1",
				"-netdev", "user,id=network", "-device", "virtio-net-pci,netdev=network,romfile=",
				"-display", "none", "-no-reboot",
				"-serial", "stdio", "-monitor", "none",
				"-drive", "if=none,id=disk0,format=raw,snapshot=on,file=a,,b.raw", "-device", "virtio-blk-pci,drive=disk0",
				"-drive", "if=none,id=disk1,format=raw,snapshot=on,file=c", "-device", "virtio-blk-pci,drive=disk1",
				"-fsdev", "local,id=files,security_model=none,readonly=on,path=d,,e", "-device", "virtio-9p-pci,fsdev=files,mount_tag=files",
				"-gdb", "tcp:localhost:1234", "-S",
				"-bios", "f", "-kernel", "k",
				"-append", "x",
			},
		},
		{
			name:  "arm64, KVM, the terminal's size",
			arch:  "arm64",
			guest: Guest{Config: config.Config{Kernel: "k", MemoryMiB: 256, CPUs: 1, KernelArgs: []string{"quiet"}}, Accelerated: true, Environment: []string{"LINES=24"}},
			want: []string{
				"-no-user-config", "-nodefaults",
				"-machine", "virt,gic-version=host", "-cpu", "host", "-accel", "kvm",
				"-m", "256", "-smp", "1",
				"-nic", "none", "-display", "none", "-no-reboot",
				"-serial", "stdio", "-monitor", "none",
				"-kernel", "k",
				"-append", "console=ttyAMA0 panic=-1 LINES=24 quiet",
			},
		},
		{
			name:  "riscv64, disks on NVMe",
			arch:  "riscv64",
			guest: Guest{Config: config.Config{Kernel: "k", MemoryMiB: 256, CPUs: 1, Disks: []string{"a", "b"}, DiskBus: config.DiskBusNVMe}},
			want: []string{
				"-no-user-config", "-nodefaults",
				"-machine", "virt", "-accel", "tcg",
				"-m", "256", "-smp", "1",
				"-nic", "none", "-display", "none", "-no-reboot",
				"-serial", "stdio", "-monitor", "none",
				"-drive", "if=none,id=disk0,format=raw,snapshot=on,file=a", "-device", "nvme,drive=disk0,serial=disk0",
				"-drive", "if=none,id=disk1,format=raw,snapshot=on,file=b", "-device", "nvme,drive=disk1,serial=disk1",
				"-kernel", "k",
				"-append", "console=ttyS0 panic=-1",
			},
		},
		{
			name:  "arm64, another board",
			arch:  "arm64",
			guest: Guest{Config: config.Config{Kernel: "k", MemoryMiB: 256, CPUs: 1, Machine: "virt,virtualization=on"}},
			want: []string{
				"-no-user-config", "-nodefaults",
				"-machine", "virt,virtualization=on", "-cpu", "max,pauth-impdef=on", "-accel", "tcg",
				"-m", "256", "-smp", "1",
				"-nic", "none", "-display", "none", "-no-reboot",
				"-serial", "stdio", "-monitor", "none",
				"-kernel", "k",
				"-append", "console=ttyAMA0 panic=-1",
			},
		},
		{
			name: "x86_64, UEFI, Secure Boot, a TPM",
			arch: "x86_64",
			guest: Guest{
				Config: config.Config{
					Firmware: config.FirmwareUEFI, Payload: "p", PayloadDisk: "d,e", UEFICode: "c,d", UEFIVariables: "v",
					SecureBoot: true, TPM: true, MemoryMiB: 512, CPUs: 1, Disks: []string{"a"}, Network: config.NetworkUser,
				},
				TPMSocket: "fd=3",
			},
			want: []string{
				"-no-user-config", "-nodefaults",
				"-machine", "q35,smm=on", "-cpu", "max", "-accel", "tcg",
				"-m", "512", "-smp", "1",
				"-netdev", "user,id=network", "-device", "virtio-net-pci,netdev=network,romfile=",
				"-display", "none", "-no-reboot",
				"-serial", "stdio", "-monitor", "none",
				"-global", "driver=cfi.pflash01,property=secure,value=on",
				"-drive", "if=pflash,unit=0,format=raw,readonly=on,file=c,,d",
				"-drive", "if=pflash,unit=1,format=raw,snapshot=on,file=v",
				"-boot", "menu=on,splash-time=0",
				"-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n",
				"-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n",
				"-drive", "if=none,id=payload,format=raw,readonly=on,file=d,,e", "-device", "virtio-blk-pci,bootindex=0,drive=payload",
				"-drive", "if=none,id=disk0,format=raw,snapshot=on,file=a", "-device", "virtio-blk-pci,drive=disk0",
				"-chardev", "socket,id=tpm,fd=3", "-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-tis,tpmdev=tpm0",
			},
		},
		{
			name:  "arm64, UEFI, Secure Boot",
			arch:  "arm64",
			guest: Guest{Config: config.Config{Firmware: config.FirmwareUEFI, PayloadDisk: "d", UEFICode: "c", UEFIVariables: "v", SecureBoot: true, MemoryMiB: 512, CPUs: 1}},
			want: []string{
				"-no-user-config", "-nodefaults",
				"-machine", "virt", "-cpu", "max,pauth-impdef=on", "-accel", "tcg",
				"-m", "512", "-smp", "1",
				"-nic", "none", "-display", "none", "-no-reboot",
				"-serial", "stdio", "-monitor", "none",
				"-drive", "if=pflash,unit=0,format=raw,readonly=on,file=c",
				"-drive", "if=pflash,unit=1,format=raw,snapshot=on,file=v",
				"-boot", "menu=on,splash-time=0",
				"-drive", "if=none,id=payload,format=raw,snapshot=on,file=d", "-device", "virtio-blk-pci,bootindex=0,drive=payload",
			},
		},
		{
			name:  "arm64, U-Boot, a key",
			arch:  "arm64",
			guest: Guest{Config: config.Config{Firmware: config.FirmwareUBoot, PayloadDisk: "d", UBoot: "u", UBootDeviceTree: "t", MemoryMiB: 512, CPUs: 1}},
			want: []string{
				"-no-user-config", "-nodefaults",
				"-machine", "virt", "-cpu", "max,pauth-impdef=on", "-accel", "tcg",
				"-m", "512", "-smp", "1",
				"-nic", "none", "-display", "none", "-no-reboot",
				"-serial", "stdio", "-monitor", "none",
				"-bios", "u", "-dtb", "t",
				"-drive", "if=none,id=payload,format=raw,snapshot=on,file=d", "-device", "virtio-blk-pci,bootindex=0,drive=payload",
			},
		},
		{
			name:  "riscv64, U-Boot, interactive",
			arch:  "riscv64",
			guest: Guest{Config: config.Config{Firmware: config.FirmwareUBoot, PayloadDisk: "d", UBoot: "u", MemoryMiB: 512, CPUs: 1, Interactive: true}},
			want: []string{
				"-no-user-config", "-nodefaults",
				"-machine", "virt", "-accel", "tcg",
				"-m", "512", "-smp", "1",
				"-nic", "none", "-display", "none", "-no-reboot",
				"-serial", "mon:stdio",
				"-kernel", "u",
				"-drive", "if=none,id=payload,format=raw,snapshot=on,file=d", "-device", "virtio-blk-pci,bootindex=0,drive=payload",
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, err := arch.Find(test.arch)
			if err != nil {
				t.Fatal(err)
			}
			got := Arguments(a, test.guest)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("arguments (-want +got):\n%s", diff)
			}
		})
	}
}

func TestArgumentsLeaveKernelArgsAlone(t *testing.T) {
	words := make([]string, 1, 10)
	words[0] = "quiet"
	a, err := arch.Find("x86_64")
	if err != nil {
		t.Fatal(err)
	}
	Arguments(a, Guest{Config: config.Config{KernelArgs: words}})
	if diff := cmp.Diff([]string{"quiet", ""}, words[:2]); diff != "" {
		t.Errorf("the guest's words changed (-want +got):\n%s", diff)
	}
}

// TestNames compares with the names that Go has and with a line of the firmware.
func TestNames(t *testing.T) {
	for _, test := range []struct {
		arch, goarch string
		firmware     string // a last line of it
	}{
		{"x86_64", "amd64", ""},
		{"arm64", "arm64", ""},
		{"riscv64", "riscv64", "Boot HART MEDELEG             : 0x0000000000f4b509"},
		{"vax", "", ""},
	} {
		a, _ := arch.Find(test.arch)
		if a.GOARCH != test.goarch {
			t.Errorf("%s: GOARCH %q, want %q", test.arch, a.GOARCH, test.goarch)
		}
		re := a.Firmware
		if (re != nil) != (test.firmware != "") || re != nil && !re.MatchString(test.firmware) {
			t.Errorf("%s: firmware %v does not match %q", test.arch, re, test.firmware)
		}
	}
}
