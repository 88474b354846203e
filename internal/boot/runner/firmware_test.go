//go:build linux

package runner

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/config"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/qemutest"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// Lines of edk2.
const (
	starting = `print "BdsDxe: loading Boot0002 \"Disk\" from Pci\r\nBdsDxe: starting Boot0002 \"Disk\" from Pci\r\n"` + "\n"
	refusal  = `print "BdsDxe: failed to load Boot0002 \"Disk\" from Pci: Access Denied -- rejected probably by Secure Boot\r\n"` + "\n"
)

func writeTemp(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// writeProgram writes a shell script, which is executable.
func writeProgram(t *testing.T, script string) string {
	t.Helper()
	name := writeTemp(t, "#!/bin/sh\n"+script+"\n")
	if err := os.Chmod(name, 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

// payload makes the script that of a payload.
func (r *run) payload(firmware config.Firmware) {
	c := &r.config
	c.Firmware, c.Payload, c.PayloadDisk, c.Kernel = firmware, c.Kernel, c.Kernel, ""
}

func (r *run) uefi(t *testing.T) {
	r.payload(config.FirmwareUEFI)
	r.config.UEFICode, r.config.UEFIVariables = writeTemp(t, "code"), writeTemp(t, "variables")
}

func (r *run) uboot(t *testing.T) {
	r.payload(config.FirmwareUBoot)
	r.config.UBoot = writeTemp(t, "u-boot")
}

func TestPayload(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		script string
		set    func(*run)
	}{
		"UEFI":             {starting + banner + `print "hello\n"` + "\nhang", func(r *run) { r.uefi(t); r.config.Expect = compile([]string{"^hello$"}) }},
		"U-Boot":           {`print "Starting kernel ...\r\n\r\nhello\n"` + "\n", func(r *run) { r.uboot(t) }},
		"refusal expected": {refusal + "hang", func(r *run) { r.uefi(t); r.config.ExpectRefusal = true }},
		"refusal and its reason expected": {refusal + "hang", func(r *run) {
			r.uefi(t)
			r.config.ExpectRefusal, r.config.Expect = true, compile([]string{"Access Denied"})
		}},
	}
	texts := newTexts(t, len(tests))
	for name, test := range tests {
		r := newRun(t, test.script)
		test.set(r)
		r.check(t, r.boot(), passed)
		_, timeline, _ := strings.Cut(regexp.MustCompile(`\d+\.\d s`).ReplaceAllString(r.stderr.String(), "T"), "boot: ")
		texts.add(name, strings.TrimSpace(timeline))
	}
}

// TestFlash has images that are smaller than the flash of the machine.
func TestFlash(t *testing.T) {
	t.Parallel()
	r := newRun(t, "")
	r.config.Arch, r.config.Kernel = "arm64", qemutest.KernelFor(t, "arm64", "args")
	r.uefi(t)
	r.config.Expect = compile([]string{regexp.QuoteMeta(`if=pflash,unit=0,format=raw,readonly=on,file=` + r.session.TempDir + `/flash-`)})
	r.check(t, r.boot(), passed)

	dir := t.TempDir()
	a, err := arch.Find("arm64")
	if err != nil {
		t.Fatal(err)
	}
	b := &boot{session: Session{TempDir: dir}, arch: a}
	name, err := b.fitFlash("uefi_code", writeTemp(t, "code"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(name)
	if err != nil || len(got) != 64<<20 || strings.TrimRight(string(got), "\x00") != "code" {
		t.Errorf("%d bytes, %.20q, %v", len(got), got, err)
	}
	b.removeTemporary()

	messages := map[string]string{}
	large := writeTemp(t, "")
	if err := os.Truncate(large, 64<<20+1); err != nil {
		t.Fatal(err)
	}
	for what, name := range map[string]string{
		"none": filepath.Join(dir, "none"), "empty": writeTemp(t, ""), "too large": large, "qcow2": writeTemp(t, "QFI\xfb\x00\x00\x00\x03"),
	} {
		_, err := b.fitFlash("uefi_code", name)
		if err == nil {
			t.Fatalf("%s: no error", what)
		}
		messages[what] = strings.ReplaceAll(err.Error(), name, "FILE")
	}
	golden.Section(t, "messages.txt", messages)
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("files left: %v, %v", left, err)
	}
}

// tpmPID returns the process ID that the stand-in for swtpm has sent to the guest.
func tpmPID(t *testing.T, text []byte) int {
	t.Helper()
	match := regexp.MustCompile(`tpm "pid (\d+)\\n"`).FindSubmatch(text)
	if match == nil {
		t.Fatalf("no answer of the TPM in %q", text)
	}
	pid, _ := strconv.Atoi(string(match[1]))
	return pid
}

// TestTPM checks that a guest reaches its TPM, and that nothing of it is left.
func TestTPM(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"", "hang", "exit 3", "die", "deaf\nhang"} {
		r := newRun(t, banner+"tpm\n"+end)
		r.config.TPM, r.config.SWTPM = true, qemutest.Executable(t)
		r.session.OutputsDir = t.TempDir()
		class := failure.QEMUDied
		if end == "" || strings.HasSuffix(end, "hang") {
			r.config.Expect = compile([]string{"^tpm"})
			class = passed
		}
		r.check(t, r.boot(), class)
		log, err := os.ReadFile(filepath.Join(r.session.OutputsDir, consoleLog))
		if err != nil {
			t.Fatal(err)
		}
		if pid := tpmPID(t, log); qemutest.Running(pid) {
			t.Errorf("%q: swtpm, process %d, runs", end, pid)
		}
	}
}

// TestTPMEndsFirst has an emulator that ends by itself while QEMU does.
func TestTPMEndsFirst(t *testing.T) {
	t.Parallel()
	r := newRun(t, banner+"tpm\nsleep 50ms\n"+`print "bye\n"`)
	r.config.TPM, r.config.SWTPM = true, writeProgram(t, "read line <&3; exit 0")
	r.check(t, r.boot(), passed)
}

// TestCommandOfTPM has a command line for a shell.
func TestCommandOfTPM(t *testing.T) {
	t.Parallel()
	r := newRun(t, "")
	r.config.TPM, r.config.SWTPM = true, "swtpm"
	r.session.TempDir = t.TempDir()
	text, err := Command(&r.config, r.session)
	if err != nil {
		t.Fatal(err)
	}
	first, second, _ := strings.Cut(text, "\n")
	dir := regexp.MustCompile(`dir=(\S+)`).FindStringSubmatch(first)
	if dir == nil {
		t.Fatal(text)
	}
	if want := "swtpm socket --tpm2 --tpmstate dir=" + dir[1] + " --ctrl type=unixio,path=" + dir[1] + "/socket --flags startup-clear --terminate --daemon"; first != want {
		t.Errorf("swtpm's command\n%s\nwant\n%s", first, want)
	}
	if !strings.Contains(second, "-chardev socket,id=tpm,path="+dir[1]+"/socket ") {
		t.Errorf("QEMU's command %s", second)
	}
}

// TestInteractiveRefusal leaves the user in the firmware's menu.
func TestInteractiveRefusal(t *testing.T) {
	t.Parallel()
	for _, expected := range []bool{false, true} {
		r := newRun(t, refusal+map[bool]string{false: banner, true: "hang"}[expected])
		r.uefi(t)
		r.config.Interactive, r.config.ExpectRefusal = true, expected
		stdin, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		r.session.Stdin = stdin
		r.check(t, r.boot(), passed)
	}
}

// TestRealTPM boots nothing: it runs swtpm, if it is there, and asks it for its capabilities.
func TestRealTPM(t *testing.T) {
	t.Parallel()
	program := lookPath(t, "swtpm")
	b := &boot{config: &config.Config{}, session: Session{TempDir: t.TempDir()}, swtpmProgram: program}
	defer b.removeTemporary()
	if err := b.makeTPM(); err != nil {
		t.Fatal(err)
	}
	tpm, err := b.startTPM()
	if err != nil {
		t.Fatal(err)
	}
	defer tpm.stop()
	// CMD_GET_CAPABILITY of include/swtpm/tpm_ioctl.h: a result, which is 0, and bits.
	if _, err := tpm.socket.Write([]byte{0, 0, 0, 1}); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 8)
	if _, err := tpm.socket.Read(answer); err != nil || bytes.Equal(answer, make([]byte, 8)) {
		t.Errorf("answer %x, %v", answer, err)
	}
	if err := tpm.err(); err != nil {
		t.Error(err)
	}
	tpm.stop()
	<-tpm.done()
}

// lookPath returns the path of a program, or skips the test if there is none.
func lookPath(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("needs %s: %v", program, err)
	}
	return path
}
