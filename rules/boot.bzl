"""Boots in QEMU."""

load("//rules/private:boot.bzl", _boot = "boot", _boot_test = "boot_test")

boot = _boot
boot_test = _boot_test
