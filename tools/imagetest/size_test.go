package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

// record is a record of an archive, whose content is size bytes.
type record struct {
	name string
	mode uint32
	ino  uint32
	link uint32 // the number of names
	size int
}

// archive returns an archive of records.
func archive(t *testing.T, records []record) string {
	t.Helper()
	var archive bytes.Buffer
	w := cpio.NewWriter(&archive)
	for _, r := range records {
		h := &cpio.Header{Name: r.name, Mode: r.mode, Ino: r.ino, NLink: r.link, Size: int64(r.size)}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, r.size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return archive.String()
}

func TestSize(t *testing.T) {
	const file, dir = cpio.TypeRegular | 0o644, cpio.TypeDir | 0o755
	content := archive(t, []record{
		{"bin", dir, 1, 2, 0},
		{"bin/empty", file, 2, 1, 0},
		{"bin/first", file, 3, 3, 0},
		{"bin/second", file, 3, 3, 0},
		{"opt", dir, 4, 2, 0},
		{"opt/third\x1b", file, 3, 3, 40},
		{"bin/large", file, 5, 1, 60},
		{"bin/link", cpio.TypeSymlink | 0o777, 6, 1, 9},
	}) + archive(t, []record{
		// The same numbers as above, but not the same files: another archive.
		{"layer", file, 3, 2, 0},
		{"layer2", file, 3, 2, 7},
		// A name that is given twice has one file.
		{"bin/large", file, 5, 1, 50},
	})
	dirname := t.TempDir()
	image := write(t, dirname+"/image", content)
	entries := write(t, dirname+"/entries", `{"name":"bin/first","origin":"//base:layer"}
{"name":"bin/large","origin":"//app:layer"}
{"name_bytes":"b3B0L3RoaXJkGw==","origin":"//base:layer"}
`)
	size := int64(len(content))
	const largest = "; the largest files, before compression:\n"
	for _, test := range []struct {
		name   string
		max    int64
		byGlob map[string]int64
		ok     bool
		out    string
	}{
		{"kept", size, map[string]int64{"/bin/large": 50}, true, "/bin/large: 50 of 50 bytes\n"},
		{"no limit", -1, nil, true, ""},
		{"the image", size - 1, nil, false, ", 1 over the budget of " + largest},
		{"empty", -1, map[string]int64{"/bin/empty": 0}, true, "/bin/empty: 0 of 0 bytes\n"},
		{"a name without the content", -1, map[string]int64{"/bin/first": 39}, false,
			"FAIL: /bin/first: 40 bytes, 1 over the budget of 39" + largest + "          40  /bin/first  (//base:layer)\n"},
		{"the name with the content", -1, map[string]int64{"/opt/*": 39}, false,
			"FAIL: /opt/*: 40 bytes, 1 over the budget of 39" + largest + "          40  /opt/third\\033  (//base:layer)\n"},
		{"two names", -1, map[string]int64{"/bin/*": 89}, false,
			"FAIL: /bin/*: 90 bytes, 1 over the budget of 89" + largest +
				"          50  /bin/large  (//app:layer)\n          40  /bin/first +1  (//base:layer)\n           0  /bin/empty\n"},
		{"everything", -1, map[string]int64{"/**": 97}, true, "/**: 97 of 97 bytes\n"},
		{"nothing", -1, map[string]int64{"/sbin/*": 1}, false, "FAIL: /sbin/* matches no regular file of the image\n"},
		{"a symbolic link", -1, map[string]int64{"/bin/link": 9}, false, "FAIL: /bin/link matches no regular file of the image\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			ok, err := (&sizeTest{Image: image, Entries: entries, MaxBytes: test.max, MaxByGlob: test.byGlob}).run(&out, same)
			got := out.String()
			if test.max >= 0 { // the archive's own size is not in want
				got = strings.ReplaceAll(got, "budget of "+fmt.Sprint(test.max), "budget of ")
			}
			if err != nil || ok != test.ok || !strings.Contains(got, test.out) {
				t.Errorf("got %v, %v\n%s\nwant %v\n%s", ok, err, got, test.ok, test.out)
			}
		})
	}
}

func TestSizeOfDamagedImage(t *testing.T) {
	dir := t.TempDir()
	image := write(t, dir+"/image", archive(t, []record{{"a", cpio.TypeRegular | 0o644, 1, 1, 10}})[:100])
	if ok, err := (&sizeTest{Image: image, Entries: write(t, dir+"/entries", "")}).run(&strings.Builder{}, same); ok || err == nil {
		t.Errorf("got %v, %v, want an error", ok, err)
	}
}
