// Package tpm reads a TPM's registers, as the kernel shows them.
package tpm

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// interval is the time between two looks for a TPM.
const interval = 50 * time.Millisecond

// Count is how many PCRs a TPM has for a PC.
const Count = 24

// ReadPCRs returns the SHA-256 values of PCRs, in hexadecimal digits. The directory is where sysfs
// is mounted. ReadPCRs waits until the TPM is there, but not longer than a time.
func ReadPCRs(sys string, numbers []int, wait time.Duration) ([]string, error) {
	// The kernel has these files since 5.12, for each hash that the TPM uses
	// (drivers/char/tpm/tpm-sysfs.c).
	dir := filepath.Join(sys, "class/tpm/tpm0/pcr-sha256")
	if err := await(dir, wait); err != nil {
		return nil, err
	}
	var values []string
	for _, n := range numbers {
		text, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(n)))
		if err != nil {
			return nil, fmt.Errorf("cannot read PCR %d: %w", n, err)
		}
		value := strings.ToLower(strings.TrimSpace(string(text)))
		if digest, err := hex.DecodeString(value); err != nil || len(digest) != 32 {
			return nil, fmt.Errorf("cannot read PCR %d: %q is not a SHA-256 digest", n, text)
		}
		values = append(values, value)
	}
	return values, nil
}

// await waits until a TPM's directory of PCRs exists. The kernel makes it before it tells anybody
// that there is a TPM.
func await(dir string, wait time.Duration) error {
	for deadline := time.Now().Add(wait); ; time.Sleep(interval) {
		_, err := os.Stat(dir)
		if err == nil {
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if time.Now().Before(deadline) {
			continue
		}
		if _, err := os.Stat(filepath.Dir(dir)); err == nil {
			return fmt.Errorf("the TPM has no SHA-256 PCRs, or the kernel is older than 5.12: %s does not exist", dir)
		}
		return errors.New("there is no TPM: connect one to the machine, and load the module of its driver, such as tpm_tis or tpm_crb")
	}
}
