package modules

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices"
)

// TestReport has something in each section of a report.
func TestReport(t *testing.T) {
	root, dir := kernelDir(t)
	files := map[string][]byte{
		"board.ko":   ko{info: info("alias=of:N*T*Cvendor,boardC*", "alias=of:N*T*Cvendor,board", "softdep=pre: gone unused", "firmware=vendor/*.bin")}.bytes(),
		"replace.ko": ko{info: info()}.bytes(),
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, "kernel", name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	l := newLayer(t, root)
	update := filepath.Join(t.TempDir(), "replace.ko")
	if err := os.WriteFile(update, ko{info: info("depends=core")}.bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	added, err := ReadAdded([]string{update})
	if err != nil {
		t.Fatal(err)
	}
	replaced, err := l.Tree.Add(added, release)
	if err != nil {
		t.Fatal(err)
	}
	l.Files = map[string]string{added[0].Path: update}
	l.Selection, err = Choose(l.Tree, Request{
		Words: []string{"net_card", "ext4", "replace", "kernel/packed*"},
		Devices: []devices.Device{
			{Path: "/soc/board@0", Modaliases: []string{"of:NboardT(null)Cvendor,board"}},
			{Path: "/soc/other@8", Modaliases: []string{"of:NotherT(null)Cvendor,other"}},
			{Path: "/soc/phy@9"},
			{Path: "/soc/bus", Modaliases: []string{"of:NbusT(null)Csimple-bus"}, Generic: true},
		},
		Exclude: []string{"unused"},
	})
	if err != nil {
		t.Fatal(err)
	}
	firmware := firmwareDir(t, map[string]string{"vendor/a.bin": "->b.bin", "vendor/b.bin": "b", "net.bin.xz": ""})
	missing := []MissingFirmware{}
	l.Firmware, missing, err = CollectFirmware(l.Tree, l.Selection, FirmwareRequest{Dirs: []string{firmware}, Reads: reads(), Missing: SeverityWarning})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Write(context.Background(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	l.Unsigned = []string{"net_card"}
	r := NewReport(l, replaced, missing)
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	golden.Text(t, "report.txt", text.String())
	golden.Section(t, "messages.txt", map[string]string{"missing firmware": strings.Join(FirmwareWarnings(missing), "\n")})

	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Text(t, "report.json", string(content)+"\n")
	var again Report
	if err := json.Unmarshal(content, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, &again); diff != "" {
		t.Error(diff)
	}
	if err := r.WriteText(failingWriter{}); !errors.Is(err, errWriter) {
		t.Errorf("a writer that fails: %v", err)
	}
}

var errWriter = errors.New("no space")

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errWriter }
