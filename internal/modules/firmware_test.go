package modules

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices"
)

// firmwareDir returns a directory with these files. A content that begins with -> is the target of
// a link.
func firmwareDir(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(file), 0o777)
		if target, ok := strings.CutPrefix(content, "->"); ok {
			err = errors.Join(err, os.Symlink(target, file))
		} else {
			err = errors.Join(err, os.WriteFile(file, []byte(content), 0o666))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func reads(options ...string) func(string) bool {
	return func(option string) bool { return slices.Contains(options, option) }
}

const (
	readsXZ   = "CONFIG_FW_LOADER_COMPRESS_XZ"
	readsZstd = "CONFIG_FW_LOADER_COMPRESS_ZSTD"
)

func TestFirmware(t *testing.T) {
	first := firmwareDir(t, map[string]string{
		"plain.bin":            "1",
		"both.bin":             "1",
		"both.bin.xz":          "2",
		"packed.bin.xz":        "3",
		"packed.bin.zst":       "4",
		"only.bin.xz":          "5",
		"vendor/a.mbn":         "6",
		"vendor/b.mbn.xz":      "7",
		"vendor/deep/c.mbn":    "8",
		"links/one.bin":        "->two.bin",
		"links/two.bin":        "->../plain.bin",
		"board":                "->vendor",
		"loop.bin":             "->loop.bin",
		"outside.bin":          "->../../../etc/hostname",
		"staged.bin":           "->" + filepath.Join(firmwareDir(t, map[string]string{"x": "9"}), "x"),
		"whence/target.bin.xz": "10",
		"whence/a b.bin":       "11",
		"WHENCE":               "File: plain.bin\nLink: whence/link.bin -> target.bin\nLink: other/link.bin -> ../whence/link.bin\nLink: whence/sp\\ ace.bin -> a\\ b.bin\nLink: dir -> vendor\n",
	})
	second := firmwareDir(t, map[string]string{"plain.bin": "second", "second.bin": "12"})
	both := []string{readsXZ, readsZstd}
	for _, test := range []struct {
		name    string
		options []string
		want    []string // NAME, or NAME->TARGET; nil if it is missing
	}{
		{"plain.bin", nil, []string{"plain.bin"}},
		{"second.bin", nil, []string{"second.bin"}},
		{"both.bin", both, []string{"both.bin"}},
		{"packed.bin", both, []string{"packed.bin.zst"}},
		{"packed.bin", []string{readsXZ}, []string{"packed.bin.xz"}},
		{"packed.bin", nil, nil},
		{"vendor/*.mbn", both, []string{"vendor/a.mbn", "vendor/b.mbn.xz"}},
		{"vendor/*.mbn", nil, []string{"vendor/a.mbn"}},
		{"vendor/**.mbn", nil, []string{"vendor/a.mbn", "vendor/deep/c.mbn"}},
		{"nothing/*", both, nil},
		{"links/one.bin", nil, []string{"links/one.bin->two.bin", "links/two.bin->../plain.bin", "plain.bin"}},
		{"board/a.mbn", nil, []string{"board->vendor", "vendor/a.mbn"}},
		{"dir/deep/c.mbn", nil, []string{"dir->vendor", "vendor/deep/c.mbn"}},
		{"loop.bin", nil, nil},
		{"staged.bin", nil, []string{"staged.bin"}},
		{"whence/link.bin", both, []string{"whence/link.bin.xz->target.bin.xz", "whence/target.bin.xz"}},
		{"other/link.bin", both, []string{"other/link.bin.xz->../whence/link.bin.xz", "whence/link.bin.xz->target.bin.xz", "whence/target.bin.xz"}},
		{"whence/sp ace.bin", nil, []string{"whence/a b.bin", "whence/sp ace.bin->a b.bin"}},
		{"whence/l*", both, []string{"whence/link.bin.xz->target.bin.xz", "whence/target.bin.xz"}},
		{"../escape.bin", both, nil},
		{"/etc/hostname", both, nil},
		{"vendor", both, nil},
		{"vendor/", both, nil},
		{"", both, nil},
	} {
		t.Run(test.name+" "+strings.Join(test.options, " "), func(t *testing.T) {
			tree := treeOf(t, []string{"kernel/driver.ko", "firmware=" + test.name})
			s, err := Choose(tree, Request{Words: []string{"driver"}})
			if err != nil {
				t.Fatal(err)
			}
			files, missing, err := CollectFirmware(tree, s, FirmwareRequest{Dirs: []string{first, second}, Reads: reads(test.options...), Missing: SeverityWarning})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range files {
				text := f.Name
				if f.Target != "" {
					text += "->" + f.Target
				}
				got = append(got, text)
				if !slices.Equal(f.For, []string{"driver"}) {
					t.Errorf("%s is for %q", f.Name, f.For)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if (len(missing) > 0) != (test.want == nil) {
				t.Errorf("missing: %v", missing)
			}
		})
	}
}

// Whose firmware is collected, and what becomes of missing firmware.
func TestFirmwareOf(t *testing.T) {
	tree := treeOf(t,
		[]string{"kernel/a.ko", "firmware=a.bin", "firmware=common.bin", "depends=b"},
		[]string{"kernel/b.ko", "firmware=b.bin", "firmware=common.bin", "firmware=gone-b.bin"},
		[]string{"kernel/unused.ko", "firmware=unused.bin"},
		[]string{"!kernel/c.ko", "firmware=c.bin", "alias=of:N*T*Cc"},
		[]string{"!kernel/d.ko", "firmware=d.bin"},
	)
	dir := firmwareDir(t, map[string]string{"a.bin": "", "b.bin": "", "c.bin": "", "d.bin": "", "common.bin": "", "unused.bin": "", "node.bin": ""})
	device := devices.Device{Path: "/c", Modaliases: []string{"of:NcTCc", "of:NcT(null)Cc"}, FirmwareNames: []string{"node.bin", "gone-node.bin"}}
	device.Modaliases = append(device.Modaliases, "of:NcTCc")
	for _, test := range []struct {
		name    string
		request Request
		builtin bool
		off     map[string]Severity
		want    []string
		missing []string
	}{
		{"modules and what they need", Request{Words: []string{"a"}}, false, nil, []string{"a.bin", "b.bin", "common.bin"}, []string{"gone-b.bin"}},
		{"off for a module", Request{Words: []string{"a"}}, false, map[string]Severity{"b": SeverityOff}, []string{"a.bin", "b.bin", "common.bin"}, nil},
		{"built in, asked for", Request{Words: []string{"c"}}, false, nil, []string{"c.bin"}, nil},
		{"built in, serves a device", Request{Devices: []devices.Device{device}}, false, nil, []string{"c.bin", "node.bin"}, []string{"gone-node.bin"}},
		{"off for a device's module", Request{Devices: []devices.Device{device}}, false, map[string]Severity{"c": SeverityOff}, []string{"c.bin", "node.bin"}, nil},
		{"everything that is built in", Request{}, true, nil, []string{"c.bin", "d.bin"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := Choose(tree, test.request)
			if err != nil {
				t.Fatal(err)
			}
			request := FirmwareRequest{Dirs: []string{dir}, Reads: reads(), Missing: SeverityWarning, MissingOf: test.off, Builtin: test.builtin}
			files, missing, err := CollectFirmware(tree, s, request)
			if err != nil {
				t.Fatal(err)
			}
			var got, gone []string
			for _, f := range files {
				got = append(got, f.Name)
			}
			for _, m := range missing {
				gone = append(gone, m.Name)
			}
			if !slices.Equal(got, test.want) || !slices.Equal(gone, test.missing) {
				t.Errorf("%q, missing %q, want %q, missing %q", got, gone, test.want, test.missing)
			}
			request.Missing = SeverityError
			if _, _, err := CollectFirmware(tree, s, request); errors.Is(err, ErrFirmware) != (test.missing != nil) {
				t.Errorf("error: %v", err)
			}
		})
	}
}

func TestFirmwareErrors(t *testing.T) {
	tree := treeOf(t,
		[]string{"kernel/a.ko", "firmware=a.bin", "firmware=b/*.bin", "firmware=packed.bin", "firmware=../up.bin", "firmware=1", "firmware=2", "firmware=3"},
		[]string{"kernel/bad.ko", "firmware=x["},
	)
	dir := firmwareDir(t, map[string]string{"packed.bin.xz": "", "file": ""})
	texts := map[string]string{}
	for _, test := range []struct {
		name, word string
		request    FirmwareRequest
		want       error
	}{
		{"missing", "a", FirmwareRequest{Dirs: []string{dir}}, ErrFirmware},
		{"no directory", "a", FirmwareRequest{}, ErrFirmware},
		{"an unknown module", "a", FirmwareRequest{MissingOf: map[string]Severity{"aa": SeverityOff}}, ErrUnknown},
		{"a pattern with half a set", "bad", FirmwareRequest{Dirs: []string{dir}}, nil},
		{"a damaged WHENCE", "a", FirmwareRequest{Dirs: []string{firmwareDir(t, map[string]string{"WHENCE": "Link: a b\n"})}}, nil},
		{"a WHENCE that leads out", "a", FirmwareRequest{Dirs: []string{firmwareDir(t, map[string]string{"WHENCE": "File: x\nLink: a -> ../../x\n"})}}, nil},
		{"a file", "a", FirmwareRequest{Dirs: []string{filepath.Join(dir, "file")}}, nil},
		{"nothing", "a", FirmwareRequest{Dirs: []string{filepath.Join(dir, "gone")}}, os.ErrNotExist},
	} {
		s, err := Choose(tree, Request{Words: []string{test.word}})
		if err != nil {
			t.Fatal(err)
		}
		test.request.Reads, test.request.Missing = reads(), SeverityError
		_, _, err = CollectFirmware(tree, s, test.request)
		if err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
			continue
		}
		text := err.Error()
		for _, dir := range test.request.Dirs {
			text = strings.ReplaceAll(text, dir, "DIR")
		}
		texts[test.name] = text
	}
	golden.Section(t, "messages.txt", texts)
}

func FuzzReadWhence(f *testing.F) {
	f.Add("Link: a -> b\n")
	f.Add("File: x\nLink: \"a b\" -> ../c\\ d\nRawFile: y\n")
	f.Fuzz(func(t *testing.T, text string) {
		links, err := readWhence(strings.NewReader(text))
		if err != nil {
			return
		}
		for name, target := range links {
			if !filepath.IsLocal(name) || !filepath.IsLocal(filepath.Join(filepath.Dir(name), target)) {
				t.Errorf("%q -> %q leads out of the tree", name, target)
			}
		}
	})
}
