package modules

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseUevent(t *testing.T) {
	for _, test := range []struct{ message, action, modalias string }{
		{"add@/devices/pci0000:00/0000:00:03.0\x00ACTION=add\x00DEVPATH=/devices/x\x00MODALIAS=pci:v1\x00SEQNUM=9\x00", "add", "pci:v1"},
		{"remove@/devices/x\x00MODALIAS=usb:v1\x00", "remove", "usb:v1"},
		{"change@/devices/x\x00XMODALIAS=usb:v1\x00", "change", ""},
		{"libudev\x00\xfe\xed\xca\xfe", "libudev", ""},
		{"", "", ""},
	} {
		action, modalias := parseUevent([]byte(test.message))
		if action != test.action || modalias != test.modalias {
			t.Errorf("%q: %q and %q, want %q and %q", test.message, action, modalias, test.action, test.modalias)
		}
	}
}

func TestWalk(t *testing.T) {
	l, _ := testLoader(t, testDir(t, dep))
	d := &Devices{loader: l, sys: t.TempDir(), report: func(err error) { t.Error(err) }, seen: map[string]bool{}}
	for dir, text := range map[string]string{
		"devices/pci0000:00/0000:00:03.0": "DRIVER=x\nMODALIAS=pci:v00001AF4d00001000sv1\n",
		"devices/pci0000:00/0000:00:04.0": "MODALIAS=pci:v00008086d1",
		"devices/system/cpu/cpu0":         "DRIVER=processor\n",
		"bus/pci":                         "MODALIAS=fs-jbd2\n",
	} {
		dir = filepath.Join(d.sys, dir)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "uevent"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.walk()
	l.Wait()
	want := []string{"after", "failover", "net_failover", "noisy", "quiet", "virtio_net"}
	if got := l.Loaded(); !slices.Equal(got, want) {
		t.Errorf("loaded %q, want %q", got, want)
	}
}

// FuzzParseUevent checks that a modalias is part of its message.
func FuzzParseUevent(f *testing.F) {
	f.Add("add@/devices/x\x00ACTION=add\x00MODALIAS=pci:v1\x00SEQNUM=9\x00")
	f.Fuzz(func(t *testing.T, message string) {
		if _, modalias := parseUevent([]byte(message)); !strings.Contains(message, modalias) || strings.Contains(modalias, "\x00") {
			t.Errorf("%q", modalias)
		}
	})
}
