"""The whole public API of rules_initramfs."""

load("//rules:boot.bzl", _boot = "boot", _boot_test = "boot_test")
load(
    "//rules:initramfs.bzl",
    _entry = "entry",
    _initramfs = "initramfs",
    _initramfs_layer = "initramfs_layer",
)
load("//rules:kernel.bzl", _kernel_import = "kernel_import")
load(
    "//rules:providers.bzl",
    _InitramfsInfo = "InitramfsInfo",
    _InitramfsLayerInfo = "InitramfsLayerInfo",
    _KernelInfo = "KernelInfo",
)

# Images
initramfs = _initramfs
initramfs_layer = _initramfs_layer
entry = _entry

# Kernels
kernel_import = _kernel_import

# Boots
boot = _boot
boot_test = _boot_test

# Providers
InitramfsInfo = _InitramfsInfo
InitramfsLayerInfo = _InitramfsLayerInfo
KernelInfo = _KernelInfo
