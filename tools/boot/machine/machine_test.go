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
				"-machine", "q35", "-cpu", "max",
				"-accel", "tcg", "-m", "512", "-smp", "2",
				"-nic", "none", "-display", "none", "-no-reboot",
				"-serial", "stdio", "-monitor", "none",
				"-kernel", "bzImage", "-initrd", "a b.cpio",
				"-append", "console=ttyS0 panic=-1 quiet rdinit=/sbin/init",
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
				"-chardev", "stdio,id=console,mux=on,signal=off",
				"-serial", "chardev:console",
				"-mon", "chardev=console,mode=readline",
				"-kernel", "Image", "-initrd", "i",
				"-append", "console=ttyS0 panic=-1",
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
	if err == nil || !strings.Contains(err.Error(), `"vax"`) || !strings.Contains(err.Error(), "x86_64, arm64, riscv64") {
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

func TestArchitectures(t *testing.T) {
	if diff := cmp.Diff([]string{"x86_64", "arm64", "riscv64"}, Architectures()); diff != "" {
		t.Errorf("architectures (-want +got):\n%s", diff)
	}
}
