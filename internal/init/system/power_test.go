package system

import (
	"os"
	"runtime"
	"testing"
)

func TestCanPowerOff(t *testing.T) {
	firmware := t.TempDir()
	if !canPowerOff(firmware + "/none") {
		t.Error("without /sys: false, want true: nothing is known")
	}
	if got, want := canPowerOff(firmware), runtime.GOARCH != "amd64"; got != want {
		t.Errorf("without firmware: %t, want %t", got, want)
	}
	if err := os.Mkdir(firmware+"/acpi", 0o755); err != nil {
		t.Fatal(err)
	}
	if !canPowerOff(firmware) {
		t.Error("with ACPI: false, want true")
	}
}
