package rootfind

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/init/disk"
)

// machine returns a System in a temporary directory, where files act as devices.
func machine(t *testing.T) System {
	t.Helper()
	dir := t.TempDir()
	s := System{Sys: dir + "/sys", Dev: dir + "/dev"}
	for _, place := range []string{s.Sys + "/class/block", s.Dev} {
		if err := os.MkdirAll(place, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// add adds a device; if partition is not 0, to the directory of its disk.
func add(t *testing.T, s System, disk, name, number string, partition int, content []byte) {
	t.Helper()
	place := filepath.Join(s.Sys, "devices/virtio", disk)
	if partition > 0 {
		place = filepath.Join(place, name)
	}
	files := map[string]string{
		place + "/dev":                      number,
		place + "/size":                     fmt.Sprint(len(content) / 512),
		place + "/queue/logical_block_size": "512",
		filepath.Join(s.Dev, name):          string(content),
	}
	if partition > 0 {
		files[place+"/partition"] = fmt.Sprint(partition)
	}
	for file, text := range files {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(place, filepath.Join(s.Sys, "class/block", name)); err != nil {
		t.Fatal(err)
	}
}

// content returns an erofs with a label, and a UUID that begins with one byte.
func content(label string, uuid byte) []byte {
	b := make([]byte, 4096)
	copy(b[1024:], "\xe2\xe1\xf5\xe0")
	b[1024+12] = 12
	b[1024+48] = uuid
	copy(b[1024+64:], label)
	return b
}

// luks returns a container with a label, and a UUID that ends with a digit.
func luks(label string, uuid byte) []byte {
	b := make([]byte, 4096)
	copy(b, "LUKS\xba\xbe\x00\x02")
	copy(b[24:], label)
	copy(b[168:], "00000000-0000-0000-0000-00000000000"+string('0'+uuid))
	return b
}

func disks(t *testing.T) System {
	s := machine(t)
	table := make([]byte, 8192)
	copy(table[440:], "\x01\x02\x03\x04")
	table[446+4] = 0x83
	table[510], table[511] = 0x55, 0xaa
	add(t, s, "vda", "vda", "254:0", 0, table)
	add(t, s, "vda", "vda1", "254:1", 1, content("one", 1))
	add(t, s, "vda", "vda2", "254:2", 2, content("two words", 2))
	add(t, s, "vdb", "vdb", "254:16", 0, content("one", 3))
	add(t, s, "vdc", "vdc", "254:32", 0, luks("locked", 4))
	add(t, s, "vdd", "vdd", "254:48", 0, luks("one", 5))
	add(t, s, "loop0", "loop0", "7:0", 0, nil)
	add(t, s, "cciss!c0d0", "cciss!c0d0", "104:0", 0, make([]byte, 2048))
	return s
}

func TestFind(t *testing.T) {
	s := disks(t)
	for root, want := range map[string]string{
		"/dev/vda":        "vda",
		"/dev/vda2":       "vda2",
		"/dev/cciss/c0d0": "cciss!c0d0",
		"254:2":           "vda2",
		"fe10":            "vdb",
		"LABEL=two words": "vda2",
		"LABEL=one":       "vda1",
		"LABEL=locked":    "vdc",
		"UUID=03000000-0000-0000-0000-000000000000": "vdb",
		"PARTUUID=04030201-02":                      "vda2",
		"PARTUUID=04030201-01/PARTNROFF=1":          "vda2",
		"PARTUUID=04030201-02/PARTNROFF=-1":         "vda1",
		"PARTUUID=04030201-02/PARTNROFF=-2":         "vda",
	} {
		got, err := s.Find(Request{Root: root}, io.Discard)
		if err != nil {
			t.Errorf("%s: %v", root, err)
		} else if got.Name != want {
			t.Errorf("%s: %s, want %s", root, got.Name, want)
		}
	}
}

func TestFindSeveral(t *testing.T) {
	var log strings.Builder
	if _, err := disks(t).Find(Request{Root: "LABEL=one"}, &log); err != nil {
		t.Fatal(err)
	}
	golden.Text(t, "TestFindSeveral.txt", log.String())
}

func TestFindErrors(t *testing.T) {
	s := disks(t)
	messages := map[string]string{}
	for _, root := range []string{
		"/dev/vdx", "LABEL=three", "LABEL=", "UUID=", "PARTUUID=/PARTNROFF=1", "PARTUUID=x/PARTNROFF=many", "PARTLABEL=x",
		"/dev/mapper/root", "/dev/nfs", "/dev/", "vda", "SERIAL=x", "254:99",
	} {
		_, err := s.Find(Request{Root: root}, io.Discard)
		if err == nil || !strings.HasPrefix(err.Error(), "root="+root) {
			t.Errorf("%s: error %v, want one that names it", root, err)
			continue
		}
		messages[root] = err.Error()
	}
	_, err := machine(t).Find(Request{Root: "/dev/vda"}, io.Discard)
	if err == nil {
		t.Fatal("no devices: no error")
	}
	messages["no devices"] = err.Error()
	golden.Messages(t, "TestFindErrors.txt", messages)
}

// TestFindWaits adds a device while Find searches.
func TestFindWaits(t *testing.T) {
	s := disks(t)
	ready := make(chan struct{})
	go func() {
		<-ready
		time.Sleep(2 * interval)
		add(t, s, "vde", "vde", "254:64", 0, content("late", 9))
	}()
	close(ready)
	var log strings.Builder
	got, err := s.Find(Request{Root: "LABEL=late", Wait: 30 * time.Second}, &log)
	if err != nil || got.Name != "vde" {
		t.Errorf("device %v, error %v", got, err)
	}
	if !strings.HasPrefix(log.String(), "init: waiting for root=LABEL=late\n") {
		t.Errorf("log %q", log.String())
	}
	begin := time.Now()
	if _, err := s.Find(Request{Root: "LABEL=never", Wait: 3 * interval}, io.Discard); err == nil || time.Since(begin) < 3*interval {
		t.Errorf("error %v after %v", err, time.Since(begin))
	}
}

// TestDeviceString has a label with control characters, which must not reach a terminal.
func TestDeviceString(t *testing.T) {
	s := machine(t)
	add(t, s, "vda", "vda", "254:0", 0, content("\x1b[2J\n", 0))
	devices, err := s.Devices()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := devices[0].String(), `vda 4 KiB erofs LABEL="\x1b[2J\n"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestTypesFor(t *testing.T) {
	block := []string{"ext4", "xfs"}
	messages := map[string]string{}
	for _, test := range []struct {
		name  string
		types []string // of the request
		found string
		want  []string
	}{
		{"the one found", nil, "xfs", []string{"xfs"}},
		{"auto", []string{"auto"}, "xfs", []string{"xfs"}},
		{"a list with auto", []string{"erofs", "auto"}, "xfs", []string{"erofs", "xfs"}},
		{"an old ext", nil, "ext3", []string{"ext3", "ext4"}},
		{"all", nil, "", block},
		{"a member of a mirror, by name", []string{"ext4"}, "linux_raid_member", []string{"ext4"}},
		{"a container", nil, "crypto_LUKS", nil},
		{"a container, auto", []string{"auto"}, "LVM2_member", nil},
	} {
		got, err := (Request{Root: "LABEL=x", Types: test.types}).typesFor(Device{Name: "vda", FileSystem: disk.FileSystem{Type: test.found}}, block)
		if diff := cmp.Diff(test.want, got); diff != "" || (err == nil) != (test.want != nil) {
			t.Errorf("%s: %v (-want +got):\n%s", test.name, err, diff)
		}
		if err != nil {
			messages[test.name] = err.Error()
		}
	}
	_, err := (Request{Root: "/dev/vda"}).typesFor(Device{Name: "vda", Bytes: 1 << 20}, nil)
	if err == nil {
		t.Fatal("no driver: no error")
	}
	messages["no driver"] = err.Error()
	golden.Messages(t, "TestTypesFor.txt", messages)
}
