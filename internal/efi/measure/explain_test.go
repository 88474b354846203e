package measure

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe/petest"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// reportOf returns the report of an image with an initramfs. Each file has a label.
func reportOf(t *testing.T, opts Options, files ...string) *Report {
	t.Helper()
	return reportWith(t, opts, archive(t, files...), nil, files...)
}

func reportWith(t *testing.T, opts Options, initramfs string, change func([]petest.Section) []petest.Section, files ...string) *Report {
	t.Helper()
	labels := &Labels{}
	for i := 0; i < len(files); i += 2 {
		line, err := marshal(listed{Name: files[i], Origin: "//product:" + files[i]})
		if err == nil {
			err = labels.ReadLabels(bytes.NewReader(line))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	sections := uki(t)
	sections[len(sections)-1].Content = initramfs
	if change != nil {
		sections = change(sections)
	}
	image := open(t, sections...)
	r, err := NewReport(image, predict(t, image, opts), labels)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func set(name, content string) func([]petest.Section) []petest.Section {
	return func(sections []petest.Section) []petest.Section {
		for i := range sections {
			if sections[i].Name == name {
				sections[i].Content = content
			}
		}
		return sections
	}
}

// What differs, as people read it.
func TestExplain(t *testing.T) {
	files := []string{"init", "#!/bin/sh\n", "motd", "hello\n"}
	base := reportOf(t, Options{}, files...)
	many := func(content string) []string {
		var all []string
		for i := range 30 {
			all = append(all, fmt.Sprintf("file%02d", i), content)
		}
		return all
	}
	kernel := func(motd string) *Report {
		file := open(t, petest.Section{Name: ".text", Content: "kernel with " + motd})
		labels := &Labels{}
		err := labels.ReadLabels(strings.NewReader(fmt.Sprintf(`{"name":"motd","sha256":"%x","producer":"//product:motd"}`, motd)))
		if err != nil {
			t.Fatal(err)
		}
		r, err := NewReport(file, predict(t, file, Options{}), labels)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	same := archive(t, files...)
	texts := map[string]string{}
	for name, reports := range map[string][2]*Report{
		"the content of a file": {base, reportOf(t, Options{}, "init", "#!/bin/sh\n", "motd", "hello, world\n")},
		"files come and go":     {base, reportOf(t, Options{}, "init", "#!/bin/sh\n", "issue", "hello\n")},
		"many files":            {reportOf(t, Options{}, many("a")...), reportOf(t, Options{}, many("b")...)},
		"a mode":                {base, reportWith(t, Options{}, strings.Replace(same, fmt.Sprintf("%08X", 0o100644), fmt.Sprintf("%08X", 0o100755), 1), nil, files...)},
		"padding":               {base, reportWith(t, Options{}, same+"\x00\x00\x00\x00", nil, files...)},
		"the stub":              {base, reportWith(t, Options{}, same, set(".text", "another stub"), files...)},
		"the command line":      {base, reportWith(t, Options{}, same, set(".cmdline", "console=ttyS0\n"), files...)},
		"a section more": {base, reportWith(t, Options{}, same, func(s []petest.Section) []petest.Section {
			return append(s, petest.Section{Name: ".splash", Content: "BM"})
		}, files...)},
		"load options":           {base, reportOf(t, Options{LoadOptions: "quiet"}, files...)},
		"another bank and phase": {base, reportOf(t, Options{Banks: []Bank{banks[0], banks[1]}, Phases: []string{"enter-initrd", "b"}}, files...)},
		"another payload":        {base, kernel("a")},
		"a linked kernel":        {kernel("a"), kernel("b")},
		"text of a stranger":     {base, reportOf(t, Options{}, "init", "#!/bin/sh\n", "motd", "hello\n", "\x1b[31mred\n", "x")},
	} {
		var b strings.Builder
		differ, err := Explain(&b, [2]string{"golden", "measured"}, reports[0], reports[1], 3)
		if !differ || err != nil {
			t.Errorf("%s: %v, %v", name, differ, err)
		}
		texts[name] = b.String()
		if differ, err := Explain(&b, [2]string{}, reports[1], reports[1], 3); differ || err != nil || b.String() != texts[name] {
			t.Errorf("%s: the same: %v, %v", name, differ, err)
		}
	}
	golden.Messages(t, "TestExplain.txt", texts)
}

// Changing a file of the initramfs moves the PCRs that have it, and no other one.
func TestMoved(t *testing.T) {
	a, b := reportOf(t, Options{}, "motd", "a"), reportOf(t, Options{}, "motd", "b")
	var moved []string
	for _, pcr := range a.PCRs.get("sha256") {
		if b.PCRs.get("sha256").get(pcr.key) != pcr.value {
			moved = append(moved, pcr.key)
		}
	}
	if got := strings.Join(moved, " "); got != "4 9 11" {
		t.Errorf("moved: %s", got)
	}
}

func TestReadErrors(t *testing.T) {
	messages := map[string]string{}
	report := func(text string) error { _, err := ReadReport(strings.NewReader(text)); return err }
	labels := func(text string) error { return (&Labels{}).ReadLabels(strings.NewReader(text)) }
	pcrs := func(text string) error { _, err := ReadPCRs(strings.NewReader(text)); return err }
	stale := func() error {
		l := &Labels{}
		if err := l.ReadLabels(strings.NewReader(`{"name":"motd","sha256":"0123","origin":"//product:motd"}`)); err != nil {
			t.Fatal(err)
		}
		image := open(t, uki(t)...)
		_, err := NewReport(image, predict(t, image, Options{}), l)
		return err
	}
	damaged := func() error {
		image := open(t, append(uki(t), petest.Section{Name: ".ucode", Content: "no archive"})...)
		_, err := NewReport(image, predict(t, image, Options{}), &Labels{})
		return err
	}
	for name, err := range map[string]error{
		"report: not JSON":          report("PCR 11"),
		"report: another version":   report(`{"version": 2}`),
		"report: no object":         report(`{"version": 1, "pcrs": []}`),
		"labels: not JSON":          labels("file /init"),
		"labels: no name":           labels("{}"),
		"labels: long line":         labels(strings.Repeat(" ", maxLine+1)),
		"labels: another image":     stale(),
		"PCRs: none":                pcrs("[    0.0] Linux\n"),
		"PCRs: short":               pcrs("sha256 4 00\n"),
		"PCRs: no such":             pcrs("sha256 24 " + strings.Repeat("0", 64)),
		"initramfs: not an archive": damaged(),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		messages[name] = err.Error()
	}
	golden.Messages(t, "TestReadErrors.txt", messages)
}

// A machine that is not as predicted, as people read it.
func TestMachine(t *testing.T) {
	report := reportOf(t, Options{}, "motd", "a")
	var b strings.Builder
	if differ, err := CompareLog(&b, report, readLog(t, "ovmf")); !differ || err != nil {
		t.Errorf("%v, %v", differ, err)
	}
	values := map[string]string{"sha256 4": report.PCRs.get("sha256").get("4"), "sha256 11": strings.Repeat("0", 64), "sha1 4": "00"}
	if differ, err := ComparePCRs(&b, report, values); !differ || err != nil {
		t.Errorf("%v, %v", differ, err)
	}
	golden.Text(t, "TestMachine.txt", b.String())
	if _, err := ComparePCRs(&b, report, map[string]string{"sha256 0": ""}); err == nil {
		t.Error("no PCR that is predicted: no error")
	}
	log := readLog(t, "ovmf")
	log.Algorithms = log.Algorithms[:1]
	if _, err := CompareLog(&b, report, log); err == nil {
		t.Error("no bank that is predicted: no error")
	}
}
