//go:build !linux

package kvm

import "errors"

func probeDevice(string) error { return errors.New("only Linux has KVM") }
