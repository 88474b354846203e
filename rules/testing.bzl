"""Tests of the content and the size of images."""

load(
    "//rules/private:testing.bzl",
    _initramfs_listing_test = "initramfs_listing_test",
    _initramfs_size_test = "initramfs_size_test",
)

initramfs_listing_test = _initramfs_listing_test
initramfs_size_test = _initramfs_size_test
