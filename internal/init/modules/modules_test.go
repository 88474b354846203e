package modules

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"kernel/fs/erofs/erofs.ko", "kernel/drivers/block/virtio_blk.ko.zst", "kernel/x/snd-pcm.ko.xz", "kernel/erofs.txt"} {
		name = filepath.Join(folder, name)
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
		got, err := Find(folder, name)
		if err != nil || got != filepath.Join(folder, want) {
			t.Errorf("%s: %s, error %v, want %s", name, got, err, want)
		}
	}
	for _, name := range []string{"none", "kernel", ""} {
		_, err := Find(folder, name)
		if err == nil || !strings.Contains(err.Error(), "there is no "+name+".ko below "+folder) {
			t.Errorf("%q: error %v", name, err)
		}
	}
}

func TestLoadFails(t *testing.T) {
	err := Load("/none/a.ko b=1")
	if err == nil || err.Error() != "cannot load module /none/a.ko: /none/a.ko: no such file or directory" {
		t.Errorf("error %v", err)
	}
}
