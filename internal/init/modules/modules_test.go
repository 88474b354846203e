package modules

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"kernel/fs/erofs/erofs.ko", "kernel/drivers/block/virtio_blk.ko.zst", "kernel/x/snd-pcm.ko.xz", "kernel/erofs.txt"} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"erofs":      "kernel/fs/erofs/erofs.ko",
		"virtio-blk": "kernel/drivers/block/virtio_blk.ko.zst",
		"snd_pcm":    "kernel/x/snd-pcm.ko.xz",
	} {
		got, err := Find(dir, name)
		if err != nil || got != filepath.Join(dir, want) {
			t.Errorf("%s: %s, error %v, want %s", name, got, err, want)
		}
	}
	for _, name := range []string{"none", "kernel", ""} {
		_, err := Find(dir, name)
		if err == nil || !strings.Contains(err.Error(), name+".ko ") || !strings.Contains(err.Error(), dir) {
			t.Errorf("%q: error %v", name, err)
		}
	}
}

func TestMessages(t *testing.T) {
	_, notFound := Find(t.TempDir(), "none")
	messages := map[string]string{
		"no file":   Load("/none/a.ko b=1").Error(),
		"not found": strings.ReplaceAll(notFound.Error(), filepath.Dir(t.TempDir()), "DIR"),
	}
	for _, errno := range []error{unix.ENOSYS, unix.ENOENT, unix.ENOEXEC, unix.EOPNOTSUPP} {
		messages[errno.Error()] = hint(errno)
	}
	golden.Messages(t, "messages.txt", messages)
}

func TestLoadFails(t *testing.T) {
	if err := Load("/none/a.ko b=1"); err == nil || !strings.Contains(err.Error(), " /none/a.ko: ") {
		t.Errorf("error %v", err)
	}
	if err := loadFile("/none/a.ko", ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want that the file does not exist", err)
	}
}
