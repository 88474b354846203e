//go:build !linux

package runner

import "errors"

func probeKVM(string) error { return errors.New("only Linux has KVM") }
