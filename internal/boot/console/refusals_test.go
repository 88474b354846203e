package console

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// watchFirmware returns a watcher that has read a console of firmware.
func watchFirmware(t *testing.T, name string, rules Rules) *Watcher {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/firmware", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	rules.Payload = true
	w := NewWatcher(rules)
	for _, c := range text {
		w.Write([]byte{c})
	}
	w.Idle()
	return w
}

// TestFirmware reads real consoles of firmware that starts a payload, or refuses to.
func TestFirmware(t *testing.T) {
	files, err := filepath.Glob("testdata/firmware/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	messages := map[string]string{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		w := watchFirmware(t, name, Rules{})
		text := ""
		for _, s := range w.Stages() {
			text += fmt.Sprintf("%s: %s\n", s.Name, s.Line)
		}
		f := w.Finding()
		if f.Outcome == Failed {
			text += fmt.Sprintf("%s: %s\nadvice: %s\n", f.Class, f.Line, ExplainRefusal(f.Line))
		}
		messages[name] = strings.TrimSuffix(text, "\n")
		if started := w.KernelStarted(); started != (f.Outcome == Undecided) {
			t.Errorf("%s: kernel started: %v, finding %+v", name, started, f)
		}
		if f.Outcome == Failed && f.Class != failure.FirmwareRefused {
			t.Errorf("%s: class %s", name, f.Class)
		}

		// A test that expects the refusal.
		w = watchFirmware(t, name, Rules{Criteria: Criteria{ExpectRefusal: true}})
		want := Finding{Outcome: Satisfied}
		if f.Outcome == Undecided {
			want = Finding{Outcome: Failed, Class: failure.NotRefused}
		}
		if got := w.Finding(); got.Outcome != want.Outcome || got.Class != want.Class || w.Refused() != (want.Outcome == Satisfied) {
			t.Errorf("%s: refusal expected: %+v, want %+v", name, got, want)
		}
	}
	golden.Messages(t, "TestFirmware.txt", messages)
}

// TestExpectRefusalAndPatterns wants the reason of a refusal too.
func TestExpectRefusalAndPatterns(t *testing.T) {
	for _, test := range []struct {
		pattern string
		want    Outcome
	}{
		{"Access Denied", Satisfied},
		{"^BdsDxe: No bootable option", Satisfied},
		{"Not Found", Undecided},
	} {
		criteria := Criteria{ExpectRefusal: true, Expect: []*regexp.Regexp{regexp.MustCompile(test.pattern)}}
		w := watchFirmware(t, "uefi-x86_64-secure-boot-unsigned", Rules{Criteria: criteria})
		if got := w.Finding(); got.Outcome != test.want || !w.Refused() {
			t.Errorf("%s: %+v", test.pattern, got)
		}
	}
}

// TestFirstLines has programs whose first line follows an unfinished one of the firmware, and
// kernels that print little.
func TestFirstLines(t *testing.T) {
	const prompt = "Press ESCAPE within 0 seconds for boot options "
	const starting = "BdsDxe: starting Boot0002 \"UEFI Misc Device\" from PciRoot(0x0)\r\n"
	for _, test := range []struct {
		name, console string
		want          string // the lines
		started       bool
	}{
		{"riscv64", prompt + "[    0.000000] Linux version 7.2\r\nhello\r\n", "Press ESCAPE within 0 seconds for boot options|[    0.000000] Linux version 7.2|hello", true},
		{"riscv64, quiet", prompt + "hello\r\n", "Press ESCAPE within 0 seconds for boot options|hello", true},
		{"riscv64, nothing", prompt, "", false},
		{"another prompt", "Boot in 3 s [    0.000000] Booting Linux on physical CPU 0\r\nhello\r\n", "Boot in 3 s |[    0.000000] Booting Linux on physical CPU 0|hello", true},
		{"x86_64, quiet", starting + "hello\r\n", strings.TrimSpace(starting) + "|hello", true},
		{"the kernel's stub alone", starting + "EFI stub: Loaded initrd from LINUX_EFI_INITRD_MEDIA_GUID device path\r\n", strings.TrimSpace(starting) + "|EFI stub: Loaded initrd from LINUX_EFI_INITRD_MEDIA_GUID device path", false},
		{"menu", "text\x1b[2J\x1b[001;001HBdsDxe: x\r\n", "text|BdsDxe: x", false},
	} {
		var lines []string
		w := NewWatcher(Rules{Payload: true, Observe: func(line string) bool { lines = append(lines, line); return false }})
		io.WriteString(w, test.console)
		w.Idle()
		if got := strings.Join(lines, "|"); got != test.want || w.KernelStarted() != test.started {
			t.Errorf("%s: kernel started %v, lines\n%s\nwant\n%s", test.name, w.KernelStarted(), got, test.want)
		}
	}
}

// TestRefusals has lines of firmware that are refusals, and some that look like them.
func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		line string
		want bool
	}{
		{`BdsDxe: failed to start Boot0001 "UEFI Misc Device" from PciRoot(0x0): Security Violation`, true},
		{"../src/boot/stub.c:1310@run: Error starting kernel image: Access denied", true},
		{"../src/boot/linux.c:90@linux_exec: Bad kernel image: Load error", true},
		{"../src/boot/stub.c:1250@run: Error loading global addons, ignoring: Not found", false},
		{"ERROR: can't get kernel image!", true},
		{"ERROR -22: can't get kernel image!", true},
		{"Bad Linux ARM64 Image magic!", true},
		{"Could not find configuration node", true},
		{"EFI boot manager: Cannot load any image", false},
		{"Boot failed (err=-14)", false},
		{"   Verifying Hash Integrity ... sha256+ OK", false},
		{"=> ", false}, // a program's line
	} {
		if got := findRefusal(test.line, true) != ""; got != test.want {
			t.Errorf("%q: a refusal: %v", test.line, got)
		}
	}
	// What a kernel or a program prints is not a refusal.
	w := NewWatcher(Rules{Payload: true})
	io.WriteString(w, "[    0.000000] Linux version 7.2\r\nBad Data Hash\r\n=> ")
	w.Idle()
	if got := w.Finding(); got.Outcome != Undecided {
		t.Errorf("%+v", got)
	}
	// Without a payload, or if the user decides.
	for _, rules := range []Rules{{}, {Payload: true, Criteria: Criteria{AllowFailures: []failure.Class{failure.FirmwareRefused}}}} {
		w := NewWatcher(rules)
		io.WriteString(w, "Bad Data Hash\r\n")
		if got := w.Finding(); got.Outcome != Undecided {
			t.Errorf("%+v", got)
		}
	}
	// A test that types into U-Boot.
	w = NewWatcher(Rules{Payload: true, Criteria: Criteria{Input: []Prompt{{regexp.MustCompile("=> $"), "boot\n"}}}})
	io.WriteString(w, "=> ")
	w.Idle()
	if got := w.TakeInput(); got != "boot\n" || w.Finding().Outcome != Undecided {
		t.Errorf("typed %q, %+v", got, w.Finding())
	}
}
