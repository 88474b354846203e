package config

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMerge(t *testing.T) {
	name := filepath.Join(t.TempDir(), ".config")
	text := "# Header\nCONFIG_A=y\n# CONFIG_B is not set\nCONFIG_AB=m\n"
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	changes, err := Parse("f", "CONFIG_B=y\n# CONFIG_A is not set\n")
	if err != nil {
		t.Fatal(err)
	}
	later, err := Parse("g", "CONFIG_B=m\nCONFIG_C=\"x\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if err := Merge(name, append(changes, later...)); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	want := "# Header\nCONFIG_AB=m\n# CONFIG_A is not set\nCONFIG_B=m\nCONFIG_C=\"x\"\n"
	if string(got) != want {
		t.Errorf("merged:\n%s\nwant:\n%s", got, want)
	}
}
