package machine

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestArguments(t *testing.T) {
	for _, test := range []struct {
		name  string
		arch  string
		guest Guest
		want  []string // an option and its value a line
	}{
		{
			name:  "x86_64",
			arch:  "x86_64",
			guest: Guest{Kernel: "bzImage", Initramfs: "a b.cpio", Append: []string{"quiet", "rdinit=/sbin/init"}, MemoryMiB: 512, CPUs: 2},
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
			guest: Guest{Kernel: "Image", MemoryMiB: 256, CPUs: 1},
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
			guest: Guest{Kernel: "Image", Initramfs: "i", MemoryMiB: 256, CPUs: 1, Interactive: true},
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
				Kernel: "k", MemoryMiB: 256, CPUs: 1, KVM: true, Network: true, GDB: 1234, Firmware: "f",
				Disks: []string{"a,b.raw", "c"}, Files: "d,e", Cmdline: []string{"x"}, Append: []string{"y"}, Environment: []string{"z"},
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
			guest: Guest{Kernel: "k", MemoryMiB: 256, CPUs: 1, KVM: true, Environment: []string{"LINES=24"}, Append: []string{"quiet"}},
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
			name:  "arm64, another board",
			arch:  "arm64",
			guest: Guest{Kernel: "k", MemoryMiB: 256, CPUs: 1, Machine: "virt,virtualization=on"},
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
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Arguments(test.arch, test.guest)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("arguments (-want +got):\n%s", diff)
			}
		})
	}
}

func TestArgumentsUnknownArchitecture(t *testing.T) {
	_, err := Arguments("vax", Guest{})
	if err == nil || !strings.Contains(err.Error(), `"vax"`) || !strings.Contains(err.Error(), strings.Join(Architectures(), ", ")) {
		t.Errorf("error %v, want one that names the architecture and the known ones", err)
	}
}

func TestArgumentsLeaveAppendAlone(t *testing.T) {
	words := make([]string, 1, 10)
	words[0] = "quiet"
	if _, err := Arguments("x86_64", Guest{Append: words}); err != nil {
		t.Fatal(err)
	}
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
		if got := GOARCH(test.arch); got != test.goarch {
			t.Errorf("%s: GOARCH %q, want %q", test.arch, got, test.goarch)
		}
		re := Firmware(test.arch)
		if (re != nil) != (test.firmware != "") || re != nil && !re.MatchString(test.firmware) {
			t.Errorf("%s: firmware %v does not match %q", test.arch, re, test.firmware)
		}
	}
}
