package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/cli/clitest"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// TestBoards lists the devices of two boards, and what Debian's arm64 kernel has for them. The
// lists were checked by hand. BOARDS is a directory with the device trees and config of the
// kernel's package, its modules.builtin.modinfo, the modules.alias that depmod writes for its
// modules, and the drivers.index of its source.
func TestBoards(t *testing.T) {
	dir := os.Getenv("BOARDS")
	if dir == "" {
		t.Skip("needs the files of Debian's arm64 kernel: set BOARDS to a directory with them, as the comment of TestBoards says")
	}
	for _, board := range []string{"bcm2711-rpi-4-b", "qcs6490-rb3gen2"} {
		file := func(name string) string { return filepath.Join(dir, name) }
		out := filepath.Join(t.TempDir(), "out")
		result := clitest.Run(newProgram(), "devices", "--out", out, "--aliases", file("modules.alias"), "--builtin", file("modules.builtin.modinfo"),
			"--driver-index", file("drivers.index"), "--config", file("config"), file(board+".dtb"))
		if result.Code != 0 {
			t.Errorf("%s: exit code %d: %s", board, result.Code, result.Stderr)
			continue
		}
		text, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		golden.Text(t, "boards/"+board+".txt", string(text))
	}
}
