"""Tests of the content and the size of images, and of the measurements of payloads."""

load(
    "//rules/private:testing.bzl",
    _initramfs_listing_test = "initramfs_listing_test",
    _initramfs_size_test = "initramfs_size_test",
    _measurements_test = "measurements_test",
)

initramfs_listing_test = _initramfs_listing_test
initramfs_size_test = _initramfs_size_test
measurements_test = _measurements_test
