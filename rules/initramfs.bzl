"""Images and their layers."""

load(
    "//rules/private:images.bzl",
    _early_cpio = "early_cpio",
    _initramfs_diff = "initramfs_diff",
    _initramfs_import = "initramfs_import",
)
load("//rules/private:initramfs.bzl", _initramfs = "initramfs")
load("//rules/private:layer.bzl", _initramfs_layer = "initramfs_layer")
load("//rules/private:metadata.bzl", _entry = "entry")

early_cpio = _early_cpio
entry = _entry
initramfs = _initramfs
initramfs_diff = _initramfs_diff
initramfs_import = _initramfs_import
initramfs_layer = _initramfs_layer
