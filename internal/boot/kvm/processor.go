package kvm

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// checkProcessor returns an error unless cpuinfo, a file like /proc/cpuinfo
// of x86, tells of a processor that runs guests. KVM can make machines
// without: those of kvm_pvm run only kernels made for them, and any other one
// stops at its first lines.
func checkProcessor(cpuinfo string) error {
	f, err := os.Open(cpuinfo)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if strings.TrimSpace(name) != "flags" {
			continue
		}
		flags := strings.Fields(value)
		if slices.Contains(flags, "vmx") || slices.Contains(flags, "svm") {
			return nil
		}
		return errors.New("the processor has neither VMX nor SVM here")
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return fmt.Errorf("%s has no line of flags", cpuinfo)
}
