"""Tests of what is in an image."""

load(
    "//rules/private:testing.bzl",
    _initramfs_listing_test = "initramfs_listing_test",
    _initramfs_size_test = "initramfs_size_test",
)

initramfs_listing_test = _initramfs_listing_test
initramfs_size_test = _initramfs_size_test
