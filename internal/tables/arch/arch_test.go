package arch

import (
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	for _, name := range Names() {
		if a, err := Find(name); err != nil || a.Name != name {
			t.Errorf("Find(%q) = %q, %v", name, a.Name, err)
		}
	}
	for _, name := range []string{"", "vax", "amd64", "X86_64"} {
		_, err := Find(name)
		if err == nil || !strings.Contains(err.Error(), strings.Join(Names(), ", ")) {
			t.Errorf("Find(%q): %v: want an error with the known names", name, err)
		}
	}
}

// A row leaves out only what an architecture may do without, and belongs to one
// architecture throughout.
func TestRows(t *testing.T) {
	for _, a := range All() {
		for field, value := range map[string]string{
			"GOARCH": a.GOARCH, "Debian": a.Debian, "JVM": a.JVM, "Make": a.Make, "Target": a.Target, "Console": a.Console, "Machine": a.Machine,
			"EFI": a.EFI, "UBoot": a.UBoot, "TPMDevice": a.TPMDevice,
		} {
			if value == "" {
				t.Errorf("%s has no %s", a.Name, field)
			}
		}
		for _, affix := range []struct{ text, before, after string }{
			{a.CPU, "@platforms//cpu:", ""},
			{a.Image, "arch/" + a.SrcArch + "/boot/", a.Target},
			{a.CrossCompile, "", "-linux-gnu-"},
			{a.Option, "CONFIG_", ""},
			{a.QEMU, "qemu-system-", ""},
		} {
			if !strings.HasPrefix(affix.text, affix.before) || !strings.HasSuffix(affix.text, affix.after) {
				t.Errorf("%s: %q: want %q...%q", a.Name, affix.text, affix.before, affix.after)
			}
		}
		if a.MaxCommandLine < 255 {
			t.Errorf("%s: a command line of %d bytes", a.Name, a.MaxCommandLine)
		}
		if a.Room <= 0 || a.Room > a.RoomRandom || a.RoomRandom > MaxRoom {
			t.Errorf("%s: room for %d bytes, and %d", a.Name, a.Room, a.RoomRandom)
		}
	}
}

func TestAllIsACopy(t *testing.T) {
	All()[0].Name = "changed"
	if Names()[0] == "changed" {
		t.Error("the table changed")
	}
}
