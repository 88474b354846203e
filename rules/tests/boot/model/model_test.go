// Package model_test has cases on which a kernel, the packer's model of one and Extract, which follows
// the model, may disagree. It compares what they make of them.
package model_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/rules/tests/boot/model/manifest"
)

// A kernel and the model have the same files of all cases.
func TestModel(t *testing.T) {
	codec := os.Getenv("MODEL_CODEC")
	if codec == "" {
		t.Skip("needs the kernel that Bazel has: run it with bazel test")
	}
	memberSize, err := strconv.Atoi(os.Getenv("MODEL_MEMBER"))
	if err != nil {
		t.Fatal(err)
	}
	all := allCases()
	if codec != "none" {
		all = slices.DeleteFunc(all, Case.Skips)
	}
	built := build(t, all, codec, memberSize)
	model, err := kernel.ReadModel(image.NewReader(bytes.NewReader(built)), true, func(e *image.Entry, made kernel.Result, _ io.Reader) error {
		if made.Drop == kernel.DropOpen && strings.Contains(made.Detail, "pipe") {
			return fmt.Errorf("%s: a kernel would not come to its end: %s", e.Name, made.Detail)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := linesOf(model)
	got := boot(t, built, want)

	records := map[string]Case{}
	for _, c := range all {
		records["/"+c.Dir] = c
	}
	failed := map[string]bool{}
	for _, at := range slices.Sorted(maps.Keys(merged(want, got))) {
		if want[at] == got[at] {
			continue
		}
		t.Errorf("%q differs\n  model:  %s\n  kernel: %s", at, orNothing(want[at]), orNothing(got[at]))
		if dir := caseDir.FindString(at); !failed[dir] && dir != "" {
			failed[dir] = true
			t.Logf("case %s, %s:\n%s", dir, records[dir].Name, describe(records[dir]))
		}
	}
	t.Logf("%d names in %d cases, %d bytes of image", len(want), len(all), len(built))
}

var caseDir = regexp.MustCompile(`^/c/[0-9]+`)

func orNothing(line string) string {
	if line == "" {
		return "nothing"
	}
	return line
}

func merged(a, b map[string]string) map[string]string {
	m := maps.Clone(a)
	maps.Copy(m, b)
	return m
}

func describe(c Case) string {
	var b strings.Builder
	for _, r := range c.Records {
		fmt.Fprintf(&b, "    %.90q mode %06o owner %d:%d ino %d nlink %d time %d body %.60q\n", r.Name, r.Mode, int32(r.UID), int32(r.GID), r.Ino, r.NLink, r.MTime, r.Body)
	}
	return b.String()
}

// build makes an image of the guest's init, and of the cases in members of about
// so many bytes.
func build(t *testing.T, all []Case, name string, memberSize int) []byte {
	t.Helper()
	init, err := os.ReadFile(rlocation(t, "MODEL_INIT"))
	if err != nil {
		t.Fatal(err)
	}
	var image, member bytes.Buffer
	for _, r := range []Record{
		{Name: "dev", Mode: 0o040755, NLink: 2},
		{Name: "dev/console", Mode: 0o020600, NLink: 1, RMajor: 5, RMinor: 1},
		{Name: "init", Mode: 0o100755, NLink: 1, Body: string(init)},
	} {
		image.Write(r.Bytes())
	}
	records := []Record{{Name: "c", Mode: 0o040755, NLink: 2, MTime: 1}}
	for _, c := range all {
		records = append(records, c.Records...)
	}
	records = append(records, Trailer)

	method, err := codec.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range records {
		member.Write(r.Bytes())
		if member.Len() < memberSize && i < len(records)-1 {
			continue
		}
		w, err := method.NewWriter(&image)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(member.Bytes()); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		member.Reset()
		// NULs may stand between any two members, but lz4 takes fewer than 4 for
		// the size of a block.
		if image.Write(make([]byte, -image.Len()&3)); name == "lz4" || i%3 > 0 {
			image.Write(make([]byte, 4))
		}
	}
	return image.Bytes()
}

// linesOf returns the model's files, as the guest describes its own.
func linesOf(model *kernel.Model) map[string]string {
	firsts := map[*kernel.File]string{}
	for at, f := range model.Files {
		if first, ok := firsts[f]; !ok || at < first {
			firsts[f] = at
		}
	}
	lines := map[string]string{}
	for at, f := range model.Files {
		if at != "/" && at != "/c" && !strings.HasPrefix(at, "/c/") {
			continue
		}
		line := manifest.Line{
			Path: at, Mode: f.Mode, UID: f.UID, GID: f.GID, NLink: f.NLink, RMajor: f.RMajor, RMinor: f.RMinor,
			Size: f.Size, MTime: int64(f.MTime), Target: f.Target,
		}
		if f.Type() == cpio.TypeRegular {
			line.Digest = manifest.Digest(f.Digest)
		}
		if f.Type() == cpio.TypeDir {
			if f.MTime == 0 {
				line.MTime = manifest.Clock
			}
			if at == "/" {
				line.NLink = 0 // the kernel's own archive has directories too
			}
		} else {
			line.First = firsts[f]
		}
		lines[at] = line.String()
	}
	return lines
}

// boot boots the image and returns the guest's files. What the model leaves to
// the clock is not compared.
func boot(t *testing.T, image []byte, want map[string]string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	archive := filepath.Join(dir, "image")
	if err := os.WriteFile(archive, image, 0o666); err != nil {
		t.Fatal(err)
	}
	// The boot that Bazel has described, with another image.
	runner := rlocation(t, "MODEL_BOOT")
	text, err := os.ReadFile(runner + ".boot.json")
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	config["initramfs"] = []string{archive}
	if text, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "boot")
	if err := os.WriteFile(name+".boot.json", text, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(runner, name); err != nil {
		t.Fatal(err)
	}
	outputs := t.TempDir()
	if kept := os.Getenv("TEST_UNDECLARED_OUTPUTS_DIR"); kept != "" {
		outputs = kept
	}
	env, err := runfiles.Env()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name)
	cmd.Env = append(append(os.Environ(), env...), "TEST_UNDECLARED_OUTPUTS_DIR="+outputs)
	report, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, report)
	}
	t.Logf("%s", report)
	console, err := os.ReadFile(filepath.Join(outputs, "console.log"))
	if err != nil {
		t.Fatal(err)
	}
	return readManifest(t, string(console), want)
}

func readManifest(t *testing.T, console string, want map[string]string) map[string]string {
	t.Helper()
	var data []byte
	parts, ended := 0, false
	for line := range strings.Lines(console) {
		line = strings.TrimRight(line, "\r\n")
		if end, ok := strings.CutPrefix(line, manifest.End); ok {
			if end != strconv.Itoa(parts) {
				t.Fatalf("%d parts of the manifest, want %s", parts, end)
			}
			ended = true
		} else if part, ok := strings.CutPrefix(line, fmt.Sprintf("%s%04d ", manifest.Prefix, parts)); ok {
			b, err := base64.StdEncoding.DecodeString(part)
			if err != nil {
				t.Fatal(err)
			}
			data = append(data, b...)
			parts++
		}
	}
	if !ended {
		t.Fatalf("the guest has not told its files:\n%s", console)
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			t.Fatal(err)
		}
		at, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(want[at], " time clock ") {
			line = someTime.ReplaceAllString(line, " time clock ")
		}
		if at == "/" {
			line = someLinks.ReplaceAllString(line, " links 0 ")
		}
		got[at] = line
	}
	return got
}

var (
	someTime  = regexp.MustCompile(` time [0-9]+ `)
	someLinks = regexp.MustCompile(` links [0-9]+ `)
)

func rlocation(t *testing.T, variable string) string {
	t.Helper()
	name, err := runfiles.Rlocation(os.Getenv(variable))
	if err != nil {
		t.Fatal(err)
	}
	return name
}
