"""Images and layers."""

load("//rules/private:early_cpio.bzl", _early_cpio = "early_cpio")
load("//rules/private:file_metadata.bzl", _entry = "entry", _file_metadata = "file_metadata")
load("//rules/private:initramfs_diff.bzl", _initramfs_diff = "initramfs_diff")
load("//rules/private:initramfs_import.bzl", _initramfs_import = "initramfs_import")
load("//rules/private:typed_attributes.bzl", _initramfs = "initramfs", _initramfs_layer = "initramfs_layer")

early_cpio = _early_cpio
entry = _entry
file_metadata = _file_metadata
initramfs = _initramfs
initramfs_diff = _initramfs_diff
initramfs_import = _initramfs_import
initramfs_layer = _initramfs_layer
