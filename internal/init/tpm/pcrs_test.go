package tpm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// makeTPM makes the files of a TPM in a directory that stands in for sysfs.
func makeTPM(t *testing.T, sys string, pcrs map[string]string) {
	t.Helper()
	dir := filepath.Join(sys, "class/tpm/tpm0/pcr-sha256")
	if err := os.MkdirAll(dir+".new", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range pcrs {
		if err := os.WriteFile(filepath.Join(dir+".new", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(dir+".new", dir); err != nil {
		t.Fatal(err)
	}
}

func TestReadPCRs(t *testing.T) {
	sys := t.TempDir()
	pcrs := map[string]string{"4": strings.Repeat("4F", 32) + "\n", "11": strings.Repeat("00", 32) + "\n"}
	appeared := make(chan struct{})
	go func() {
		defer close(appeared)
		time.Sleep(2 * interval)
		makeTPM(t, sys, pcrs)
	}()
	got, err := ReadPCRs(sys, []int{11, 4}, time.Hour)
	<-appeared
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{strings.Repeat("00", 32), strings.Repeat("4f", 32)}, got); diff != "" {
		t.Errorf("PCRs (-want +got):\n%s", diff)
	}
}

func TestReadPCRsErrors(t *testing.T) {
	messages := map[string]string{}
	for name, prepare := range map[string]func(sys string){
		"no TPM":     func(string) {},
		"no SHA-256": func(sys string) { os.MkdirAll(filepath.Join(sys, "class/tpm/tpm0"), 0o755) },
		"no such":    func(sys string) { makeTPM(t, sys, nil) },
		"not hex":    func(sys string) { makeTPM(t, sys, map[string]string{"4": "x\x1b\n"}) },
		"SHA-1":      func(sys string) { makeTPM(t, sys, map[string]string{"4": strings.Repeat("0", 40)}) },
	} {
		sys := t.TempDir()
		prepare(sys)
		_, err := ReadPCRs(sys, []int{4}, 0)
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		messages[name] = strings.ReplaceAll(err.Error(), sys, "/sys")
	}
	golden.Messages(t, "TestReadPCRsErrors.txt", messages)
}
