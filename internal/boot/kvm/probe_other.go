//go:build !linux

package kvm

import "errors"

func probe(string) error { return errors.New("KVM is Linux's") }
