package runner

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/config"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/measure"
)

// withMeasurements returns c with the lines expected that the guest's init prints of the PCRs (print_pcrs of
// guest_init), if c has measurements.
func withMeasurements(c *config.Config, s Session) (*config.Config, error) {
	if c.Measurements == "" {
		return c, nil
	}
	name, err := s.Rlocation(c.Measurements)
	if err != nil {
		return c, err
	}
	f, err := os.Open(name)
	if err != nil {
		return c, err
	}
	defer f.Close()
	report, err := measure.ReadReport(f)
	if err != nil {
		return c, err
	}
	pcrs := report.PCR("sha256")
	if len(pcrs) == 0 {
		return c, errors.New("there are no SHA-256 PCRs: add sha256 to the banks")
	}
	expecting := *c
	expecting.ExpectUnordered = slices.Clone(c.ExpectUnordered)
	for _, number := range slices.Sorted(maps.Keys(pcrs)) {
		line := regexp.QuoteMeta(fmt.Sprintf("pcr %d: %s", number, pcrs[number]))
		expecting.ExpectUnordered = append(expecting.ExpectUnordered, regexp.MustCompile("^"+line+"$"))
	}
	return &expecting, nil
}
