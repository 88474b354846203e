"""Images and their layers."""

load("//rules/private:entries.bzl", _entry = "entry")
load("//rules/private:initramfs.bzl", _initramfs = "initramfs")
load("//rules/private:layer.bzl", _initramfs_layer = "initramfs_layer")

entry = _entry
initramfs = _initramfs
initramfs_layer = _initramfs_layer
