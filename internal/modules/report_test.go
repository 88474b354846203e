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
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/kbuild/config"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices/drivers"
)

// driverIndex returns the drivers of the source of the test's kernel.
func driverIndex() *drivers.Index {
	driver := func(module, compatible string, options ...string) drivers.Driver {
		return drivers.Driver{Source: "drivers/" + module + ".c", Module: module, Options: options, Aliases: []string{"of:N*T*Cvendor," + compatible, "of:N*T*Cvendor," + compatible + "C*"}}
	}
	return &drivers.Index{Version: "7.2.12", Drivers: []drivers.Driver{
		driver("board_driver", "board", "CONFIG_BOARD"),
		driver("clock_driver", "clock", "CONFIG_CLOCK"),
		driver("many_1", "many", "CONFIG_MANY_1", "CONFIG_MFD"),
		driver("many_2", "many", "CONFIG_OTHER"),
		driver("many_3", "many", "CONFIG_OTHER"),
		driver("other_driver", "other", "CONFIG_OTHER", "CONFIG_BUS"),
		driver("shy_driver", "shy", "CONFIG_SHY"),
	}}
}

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
			{Path: "/soc/clock@a", Modaliases: []string{"of:NclockT(null)Cvendor,clock"}},
			{Path: "/soc/shy@b", Modaliases: []string{"of:NshyT(null)Cvendor,shy"}},
			{Path: "/soc/many@c", Modaliases: []string{"of:NmanyT(null)Cvendor,many"}},
			{Path: "/soc/new@d", Modaliases: []string{"of:NnewT(null)Cvendor,new"}},
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
	for _, d := range r.Devices {
		if d.Path == "/soc/other@8" && (d.State != devices.Unserved || !strings.HasSuffix(d.served(false), d.Modaliases[0]+")")) {
			t.Errorf("without the source: %s", d.served(false))
		}
	}
	r.FindDrivers(l, driverIndex(), config.Values{"CONFIG_OTHER": "n", "CONFIG_BUS": "y", "CONFIG_CLOCK": "y", "CONFIG_SHY": "m", "CONFIG_MFD": "y"})
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
	if diff := cmp.Diff(r, &again, cmpopts.IgnoreUnexported(Report{})); diff != "" {
		t.Error(diff)
	}
	if err := r.WriteText(failingWriter{}); !errors.Is(err, errWriter) {
		t.Errorf("a writer that fails: %v", err)
	}
}

var errWriter = errors.New("no space")

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errWriter }
