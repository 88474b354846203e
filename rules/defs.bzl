"""The rules, functions and providers of rules_initramfs.

Not here: `pkg_layer` (//rules:pkg.bzl), constructors for layers of other rules (//rules:layer_info.bzl), and rules for
toolchains (//rules:toolchains.bzl)."""

load("//rules:boot.bzl", _boot = "boot", _boot_test = "boot_test")
load("//rules:guest.bzl", _guest_init = "guest_init", _guest_test = "guest_test")
load(
    "//rules:initramfs.bzl",
    _early_cpio = "early_cpio",
    _entry = "entry",
    _file_metadata = "file_metadata",
    _initramfs = "initramfs",
    _initramfs_diff = "initramfs_diff",
    _initramfs_import = "initramfs_import",
    _initramfs_layer = "initramfs_layer",
)
load(
    "//rules:kernel.bzl",
    _device_tree = "device_tree",
    _kernel_build = "kernel_build",
    _kernel_image = "kernel_image",
    _kernel_import = "kernel_import",
    _kernel_module = "kernel_module",
    _kernel_modules = "kernel_modules",
)
load(
    "//rules:payload.bzl",
    _android_boot_image = "android_boot_image",
    _efi_disk = "efi_disk",
    _efi_image = "efi_image",
    _fit_image = "fit_image",
    _measurements = "measurements",
    _uefi_variables = "uefi_variables",
    _uimage = "uimage",
    _uki = "uki",
    _uki_profile = "uki_profile",
)
load(
    "//rules:providers.bzl",
    _InitramfsInfo = "InitramfsInfo",
    _InitramfsLayerInfo = "InitramfsLayerInfo",
    _KernelInfo = "KernelInfo",
    _KernelModuleInfo = "KernelModuleInfo",
    _MeasurementsInfo = "MeasurementsInfo",
    _PayloadInfo = "PayloadInfo",
    _UefiVariablesInfo = "UefiVariablesInfo",
)
load(
    "//rules:testing.bzl",
    _initramfs_listing_test = "initramfs_listing_test",
    _initramfs_size_test = "initramfs_size_test",
    _measurements_test = "measurements_test",
)

# Images
initramfs = _initramfs
initramfs_layer = _initramfs_layer
initramfs_import = _initramfs_import
early_cpio = _early_cpio
entry = _entry
file_metadata = _file_metadata

# What is in an image
initramfs_diff = _initramfs_diff
initramfs_listing_test = _initramfs_listing_test
initramfs_size_test = _initramfs_size_test

# Kernels
kernel_build = _kernel_build
kernel_image = _kernel_image
kernel_import = _kernel_import
kernel_module = _kernel_module
kernel_modules = _kernel_modules
device_tree = _device_tree

# What firmware loads
uki = _uki
uki_profile = _uki_profile
efi_image = _efi_image
fit_image = _fit_image
uimage = _uimage
android_boot_image = _android_boot_image
efi_disk = _efi_disk
uefi_variables = _uefi_variables
measurements = _measurements
measurements_test = _measurements_test

# Boots
boot = _boot
boot_test = _boot_test

# Guests
guest_init = _guest_init
guest_test = _guest_test

# Providers
InitramfsInfo = _InitramfsInfo
InitramfsLayerInfo = _InitramfsLayerInfo
KernelInfo = _KernelInfo
KernelModuleInfo = _KernelModuleInfo
MeasurementsInfo = _MeasurementsInfo
PayloadInfo = _PayloadInfo
UefiVariablesInfo = _UefiVariablesInfo
