package measure

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/eventlog"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe/petest"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

const x86 = 0x8664

func open(t testing.TB, sections ...petest.Section) *pe.File {
	t.Helper()
	data := petest.Executable(x86, sections...)
	file, err := pe.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// archive returns an archive with files, each a path and its content.
func archive(t testing.TB, files ...string) string {
	t.Helper()
	var b strings.Builder
	for i := 0; i < len(files); i += 2 {
		fmt.Fprintf(&b, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00", i+1, 0o100644, 0, 0, 1, 0, len(files[i+1]), 0, 0, 0, 0, len(files[i])+1, 0, files[i])
		b.WriteString(strings.Repeat("\x00", -b.Len()&3))
		b.WriteString(files[i+1])
		b.WriteString(strings.Repeat("\x00", -b.Len()&3))
	}
	b.WriteString("07070100000000000000000000000000000000000000010000000000000000000000000000000000000000000000000000000B00000000TRAILER!!!\x00\x00\x00\x00")
	return b.String()
}

const magic = "#### LoaderInfo: systemd-stub 262-1 ####"

// uki returns the sections of a unified kernel image, with more.
func uki(t testing.TB, more ...petest.Section) []petest.Section {
	return append([]petest.Section{
		{Name: ".text", Content: "the stub"}, {Name: ".sbat", Content: "sbat,1\n"}, {Name: ".sdmagic", Content: magic},
		{Name: ".osrel", Content: "ID=product\n"}, {Name: ".cmdline", Content: "console=ttyS0 quiet\n"}, {Name: ".uname", Content: "7.2.12"},
		{Name: ".linux", Content: "MZ, the kernel"}, {Name: ".initrd", Content: archive(t, "init", "#!/bin/sh\n", "motd", "hello\n")},
	}, more...)
}

func predict(t testing.TB, file *pe.File, opts Options) *Prediction {
	t.Helper()
	p, err := Predict(file, opts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// text returns a report as it is written.
func text(t testing.TB, file *pe.File, p *Prediction, labels *Labels) string {
	t.Helper()
	r, err := NewReport(file, p, labels)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	again, err := ReadReport(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	var c strings.Builder
	if err := again.Write(&c); err != nil || c.String() != b.String() {
		t.Errorf("what was read is not what was written: %v\n%s", err, c.String())
	}
	return b.String()
}

// A report of each kind, as people read it.
func TestReport(t *testing.T) {
	labels := &Labels{}
	err := labels.ReadLabels(strings.NewReader(`{"name":"init","origin":"//product:image","producer":"//product:init"}` + "\n" + `{"name":"./motd","origin":"//product:motd"}` + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	both := []Bank{banks[0], banks[1]}
	image := open(t, uki(t)...)
	golden.Text(t, "TestReport-uki.json", text(t, image, predict(t, image, Options{Banks: both}), labels))
	kernel := open(t, petest.Section{Name: ".setup", Content: "setup"}, petest.Section{Name: ".text", Content: "kernel"})
	golden.Text(t, "TestReport-kernel.json", text(t, kernel, predict(t, kernel, Options{LoadOptions: "quiet"}), labels))
}

// systemd-measure predicts the same PCR 11.
func TestSystemdMeasure(t *testing.T) {
	tool := systemdMeasure(t)
	dir := t.TempDir()
	all := []petest.Section{
		{Name: ".efifw", Content: "firmware, which is not measured"}, {Name: ".hwids", Content: "hwids"}, {Name: ".profile", Content: "ID=main\n"}, {Name: ".pcrpkey", Content: "key"},
		{Name: ".pcrsig", Content: "{}"}, {Name: ".sbat", Content: "sbat,1\n"}, {Name: ".uname", Content: "7.2.12"}, {Name: ".dtb", Content: "device tree"},
		{Name: ".splash", Content: "BM"}, {Name: ".ucode", Content: "microcode"}, {Name: ".initrd", Content: "initrd"}, {Name: ".cmdline", Content: "quiet"},
		{Name: ".osrel", Content: "ID=product\n"}, {Name: ".linux", Content: "MZ"}, {Name: ".other", Content: "of nobody"},
	}
	for _, phases := range [][]string{nil, {"enter-initrd:leave-initrd"}, {":", "b:a", "b"}} {
		for n := 1; n <= len(all); n++ {
			args := []string{"calculate", "--bank=sha1", "--bank=sha256", "--bank=sha384", "--bank=sha512"}
			for _, phase := range phases {
				args = append(args, "--phase="+phase)
			}
			sections := all[len(all)-n:]
			hasLinux := false
			for _, s := range sections {
				path := filepath.Join(dir, s.Name)
				if err := os.WriteFile(path, []byte(s.Content), 0o666); err != nil {
					t.Fatal(err)
				}
				switch s.Name {
				case ".other", ".pcrsig", ".efifw":
				default:
					args = append(args, "--"+s.Name[1:]+"="+path)
				}
				hasLinux = hasLinux || s.Name == ".linux"
			}
			if !hasLinux {
				continue
			}
			output, err := exec.Command(tool, args...).Output()
			if err != nil {
				t.Fatalf("%s: %v", args, err)
			}
			p := predict(t, open(t, sections...), Options{Banks: banks, Phases: phases})
			var got strings.Builder
			for _, phase := range p.Phases {
				for i, bank := range banks {
					fmt.Fprintf(&got, "11:%s=%x\n", bank.Name, phase.Digests[i])
				}
			}
			if got.String() != string(output) {
				t.Errorf("%s:\n%s, want\n%s", args, got.String(), output)
			}
		}
	}
}

func systemdMeasure(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"systemd-measure", "/usr/lib/systemd/systemd-measure"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if help, _ := exec.Command(path, "--help").Output(); bytes.Contains(help, []byte("--hwids")) {
			return path
		}
	}
	t.Skip("needs systemd-measure 259 or later: apt-get install systemd-tpm")
	return ""
}

// events returns the events of PCRs, in short.
func events(p *Prediction, pcrs ...int) string {
	var b strings.Builder
	for _, e := range p.Events {
		for _, pcr := range pcrs {
			if e.PCR == pcr {
				fmt.Fprintf(&b, "%d %s %s [%s] %d\n", e.PCR, e.Type, e.Description, e.From, e.Size)
			}
		}
	}
	return b.String()
}

func addon(t *testing.T, name string, sections ...petest.Section) Addon {
	return Addon{name, open(t, sections...)}
}

// What comes from outside of the image is in PCR 12, and moves the command line in PCR 9.
func TestOutside(t *testing.T) {
	image := open(t, uki(t)...)
	noCmdline := open(t, petest.Section{Name: ".sdmagic", Content: magic}, petest.Section{Name: ".linux", Content: "MZ"})
	one := addon(t, "one.addon.efi", petest.Section{Name: ".cmdline", Content: " one\t"}, petest.Section{Name: ".ucode", Content: "1"})
	two := addon(t, "two.addon.efi", petest.Section{Name: ".cmdline", Content: "two"}, petest.Section{Name: ".ucode", Content: "22"},
		petest.Section{Name: ".initrd", Content: "333"}, petest.Section{Name: ".dtb", Content: "4444"})
	texts := map[string]string{}
	for name, test := range map[string]struct {
		file *pe.File
		opts Options
	}{
		"nothing":                     {image, Options{}},
		"load options":                {image, Options{LoadOptions: " given  twice "}},
		"load options, Secure Boot":   {image, Options{LoadOptions: "given", SecureBoot: true}},
		"no .cmdline":                 {noCmdline, Options{}},
		"no .cmdline, load options":   {noCmdline, Options{LoadOptions: "given", SecureBoot: true}},
		"no .cmdline, addons":         {noCmdline, Options{Addons: []Addon{one}}},
		"addons":                      {image, Options{Addons: []Addon{one, two}}},
		"addons and load options":     {image, Options{Addons: []Addon{one}, LoadOptions: "given"}},
		"boot options that failed":    {image, Options{Failures: 2}},
		"kernel":                      {open(t, petest.Section{Name: ".text", Content: "kernel"}), Options{}},
		"kernel with a command line":  {open(t, petest.Section{Name: ".text", Content: "kernel"}), Options{LoadOptions: "given"}},
		"kernel with an initrd":       {open(t, petest.Section{Name: ".text", Content: "kernel"}), Options{LoadOptions: "initrd=i", Initrd: strings.NewReader("initrd")}},
		"unified, but not by systemd": {open(t, petest.Section{Name: ".linux", Content: "MZ"}), Options{}},
		"systemd 257":                 {open(t, petest.Section{Name: ".linux", Content: "MZ"}, petest.Section{Name: ".sdmagic", Content: strings.ReplaceAll(magic, "262", "257")}), Options{}},
	} {
		p := predict(t, test.file, test.opts)
		texts[name] = events(p, 4, 9, 12, 13) + strings.Join(p.Conditions, "\n")
		for _, pcr := range []int{4, 9} {
			if p.Unknown[pcr] != "" {
				texts[name] += fmt.Sprintf("\nPCR %d: %s", pcr, p.Unknown[pcr])
			}
		}
	}
	golden.Messages(t, "TestOutside.txt", texts)
}

// A profile has its own sections in place of those of the image.
func TestProfiles(t *testing.T) {
	image := open(t, uki(t,
		petest.Section{Name: ".profile", Content: "ID=main\n"},
		petest.Section{Name: ".profile", Content: "ID=debug\n"},
		petest.Section{Name: ".cmdline", Content: "console=ttyS0 debug"},
		petest.Section{Name: ".cmdline", Content: "a second one does not count"},
		petest.Section{Name: ".profile", Content: "ID=bare\n"},
		petest.Section{Name: ".cmdline", Content: ""},
	)...)
	texts := map[string]string{}
	for profile := range 3 {
		texts[fmt.Sprint(profile)] = events(predict(t, image, Options{Profile: profile}), 9, 11, 12)
	}
	golden.Messages(t, "TestProfiles.txt", texts)
	if _, err := Predict(image, Options{Profile: 3}); err == nil {
		t.Error("profile 3 of 3: no error")
	}
}

// testdata returns a file.
func testdata(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestDeviceTree(t *testing.T) {
	image := open(t, uki(t, petest.Section{Name: ".dtbauto", Content: testdata(t, "one.dtb")}, petest.Section{Name: ".dtbauto", Content: testdata(t, "two.dtb")})...)
	for compatible, want := range map[string]string{"": "", "vendor,one": testdata(t, "one.dtb"), "vendor,two": testdata(t, "two.dtb"), "vendor,three": ""} {
		p := predict(t, image, Options{Compatible: compatible})
		digest := ""
		for _, e := range p.Events {
			if e.Description == ".dtbauto" {
				digest = hex.EncodeToString(e.Digests[0])
			}
		}
		if want != "" {
			want = hex.EncodeToString(digestsOf([]Bank{DefaultBank()}, []byte(want))[0])
		}
		if digest != want {
			t.Errorf("%q: %s, want %s", compatible, digest, want)
		}
	}
}

func TestPredictErrors(t *testing.T) {
	messages := map[string]string{}
	image := open(t, uki(t)...)
	kernel := open(t, petest.Section{Name: ".text", Content: "kernel"})
	for name, test := range map[string]struct {
		file *pe.File
		opts Options
	}{
		"no such profile":       {image, Options{Profile: 1}},
		"profile of a kernel":   {kernel, Options{Profile: 1}},
		"initrd of an image":    {image, Options{Initrd: strings.NewReader("initrd")}},
		"addon of a kernel":     {kernel, Options{Addons: []Addon{{"a", kernel}}}},
		"addon with a kernel":   {image, Options{Addons: []Addon{{"a.addon.efi", image}}}},
		"control character":     {image, Options{LoadOptions: "a\tb"}},
		"NUL":                   {image, Options{LoadOptions: "a\x00b"}},
		"command line":          {open(t, petest.Section{Name: ".linux", Content: "MZ"}, petest.Section{Name: ".cmdline", Content: "\xff"}), Options{}},
		"long command line":     {open(t, petest.Section{Name: ".linux", Content: "MZ"}, petest.Section{Name: ".cmdline", Content: strings.Repeat("a", maxCommandLine+1)}), Options{}},
		"long osrel":            {open(t, petest.Section{Name: ".linux", Content: "MZ"}, petest.Section{Name: ".sdmagic", Content: magic}, petest.Section{Name: ".osrel", Content: strings.Repeat("a", maxExtra+1)}), Options{}},
		"damaged device tree":   {open(t, uki(t, petest.Section{Name: ".dtbauto", Content: "no tree"})...), Options{Compatible: "vendor,one"}},
		"empty kernel":          {open(t, petest.Section{Name: ".linux"}), Options{}},
		"disk without a table":  {image, Options{Disk: strings.NewReader(strings.Repeat("\x00", 1<<20))}},
		"disk that is cut":      {image, Options{Disk: strings.NewReader("")}},
		"disk with a cut table": {image, Options{Disk: strings.NewReader(string(disk(t)[:2*512+100]))}},
		"disk with huge tables": {image, Options{Disk: bytes.NewReader(append(append(disk(t)[:512+80:512+80], 0xff, 0xff, 0xff, 0xff), disk(t)[512+84:]...))}},
	} {
		_, err := Predict(test.file, test.opts)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		messages[name] = err.Error()
	}
	golden.Messages(t, "TestPredictErrors.txt", messages)
}

// disk returns the beginning of the disk of the boots whose logs are in testdata of package eventlog.
func disk(t *testing.T) []byte {
	t.Helper()
	log := readLog(t, "ovmf")
	for _, e := range log.Events {
		if e.Type == eventlog.EFIGPTEvent {
			const header, block, entries = 92, 512, 128
			b := make([]byte, 2*block+entries*128)
			copy(b[block:], e.Data[:header])
			copy(b[2*block+5*128:], e.Data[header+8:])
			return b
		}
	}
	t.Fatal("no event")
	return nil
}

func readLog(t *testing.T, name string) *eventlog.Log {
	t.Helper()
	data, err := os.ReadFile("../eventlog/testdata/" + name + ".log")
	if err != nil {
		t.Fatal(err)
	}
	log, err := eventlog.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// The predictions for the images that were booted have the events of the logs and the PCRs of the
// guests. The images are too large for testdata: packer measure wrote the predictions.
func TestRealBoots(t *testing.T) {
	for _, name := range []string{"ovmf", "aavmf"} {
		file, err := os.Open("testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		report, err := ReadReport(file)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if differ, err := CompareLog(&b, report, readLog(t, name)); differ || err != nil {
			t.Errorf("%s: %v\n%s", name, err, b.String())
		}
		pcrs, err := os.Open("../eventlog/testdata/" + name + ".pcrs")
		if err != nil {
			t.Fatal(err)
		}
		defer pcrs.Close()
		values, err := ReadPCRs(pcrs)
		if err != nil {
			t.Fatal(err)
		}
		if differ, err := ComparePCRs(&b, report, values); differ || err != nil {
			t.Errorf("%s: %v\n%s", name, err, b.String())
		}
		if n := len(report.PCRs.get("sha256")); n != 6 {
			t.Errorf("%s: %d PCRs", name, n)
		}
	}
}

// The logs of other boots than the simplest one are predicted, except for the digests of large files:
// images are made here of what is small in those that were booted.
func TestRealEvents(t *testing.T) {
	const release = "ID=product\nVERSION_ID=1\n"
	image := open(t, petest.Section{Name: ".sdmagic", Content: magic}, petest.Section{Name: ".osrel", Content: release},
		petest.Section{Name: ".cmdline", Content: "console=ttyS0 panic=-1"}, petest.Section{Name: ".uname", Content: "7.2.12+deb14-cloud-amd64"},
		petest.Section{Name: ".sbat", Content: "sbat"}, petest.Section{Name: ".linux", Content: "MZ"}, petest.Section{Name: ".initrd", Content: archive(t)})
	profiles := open(t, petest.Section{Name: ".sdmagic", Content: magic}, petest.Section{Name: ".osrel", Content: release},
		petest.Section{Name: ".cmdline", Content: "console=ttyS0 panic=-1"}, petest.Section{Name: ".uname", Content: "7.2.12+deb14-cloud-amd64"},
		petest.Section{Name: ".sbat", Content: "sbat"}, petest.Section{Name: ".linux", Content: "MZ"}, petest.Section{Name: ".initrd", Content: archive(t)},
		petest.Section{Name: ".profile", Content: "ID=main\nTITLE=Main\n"},
		petest.Section{Name: ".profile", Content: "ID=debug\nTITLE=Debug\n"}, petest.Section{Name: ".cmdline", Content: "console=ttyS0 panic=-1 debug"})
	signed := open(t, petest.Section{Name: ".sdmagic", Content: magic}, petest.Section{Name: ".osrel", Content: release},
		petest.Section{Name: ".cmdline", Content: "console=ttyS0 panic=-1"}, petest.Section{Name: ".uname", Content: "7.2.12+deb14-cloud-amd64"}, petest.Section{Name: ".sbat", Content: "sbat"},
		petest.Section{Name: ".pcrpkey", Content: testdata(t, "rsa.pub")}, petest.Section{Name: ".pcrsig", Content: "{}"},
		petest.Section{Name: ".linux", Content: "MZ"}, petest.Section{Name: ".initrd", Content: archive(t)})
	kernel := open(t, petest.Section{Name: ".text", Content: "kernel"})
	var addons []Addon
	for _, name := range []string{"one.addon.efi", "three.addon.efi", "two.addon.efi"} {
		data := testdata(t, name)
		file, err := pe.Open(strings.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		addons = append(addons, Addon{name, file})
	}
	for _, test := range []struct {
		log  string
		file *pe.File
		opts Options
	}{
		{"ovmf", image, Options{}},
		{"ovmf-addon", image, Options{Addons: addons}},
		{"ovmf-profile", profiles, Options{Profile: 1}},
		{"ovmf-failure", signed, Options{Failures: 1}},
		{"ovmf-kernel", kernel, Options{LoadOptions: `console=ttyS0 no_timer_check panic=-1 initrd=\initrd.img`, Initrd: strings.NewReader("initrd")}},
	} {
		test.opts.Banks, test.opts.Disk = banks, bytes.NewReader(disk(t))
		compareEventsOf(t, test.log, predict(t, test.file, test.opts))
	}
}

// compareEventsOf compares a prediction with a log. What is large differs.
func compareEventsOf(t *testing.T, name string, p *Prediction) {
	t.Helper()
	log := readLog(t, name)
	large := map[string]bool{".linux": true, ".initrd": true, ".sbat": true, "Linux initrd": true, "Authenticode digest of the payload": true}
	var real []int
	for i, e := range log.Events {
		switch e.PCR {
		case 4, 5, 9, 11, 12, 13:
			real = append(real, i)
		}
	}
	if len(real) != len(p.Events) {
		t.Fatalf("%s: the log has %d events, and %d are predicted", name, len(real), len(p.Events))
	}
	for n, i := range real {
		got, want := p.Events[n], log.Events[i]
		if got.PCR != want.PCR || got.Type != want.Type {
			t.Errorf("%s: event %d: PCR %d %s, want PCR %d %s", name, i, got.PCR, got.Type, want.PCR, want.Type)
		}
		for b := range banks {
			if same := bytes.Equal(got.Digests[b], want.Digests[b]); same == large[got.Description] {
				t.Errorf("%s: event %d: %s: %x, the log has %x", name, i, got.Description, got.Digests[b], want.Digests[b])
			}
		}
	}
}

// A signature does not change a prediction.
func TestSigned(t *testing.T) {
	unsigned := petest.Executable(x86, uki(t)...)
	signed := append(bytes.Clone(unsigned), 16, 0, 0, 0, 0, 2, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8)
	copy(signed[petest.Certificates:], []byte{byte(len(unsigned)), byte(len(unsigned) >> 8), byte(len(unsigned) >> 16), 0, 16, 0, 0, 0})
	var texts []string
	for _, data := range [][]byte{unsigned, signed} {
		file, err := pe.Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text(t, file, predict(t, file, Options{}), &Labels{}))
	}
	if texts[0] != texts[1] {
		t.Errorf("%s\nwant\n%s", texts[1], texts[0])
	}
}

func TestParseBank(t *testing.T) {
	for _, name := range BankNames() {
		if b, err := ParseBank(name); err != nil || b.Name != name {
			t.Errorf("%s: %v, %v", name, b, err)
		}
	}
	if _, err := ParseBank("md5"); err == nil {
		t.Error("md5: no error")
	}
}
