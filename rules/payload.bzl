"""What firmware loads."""

load("//rules/private:android_boot_image.bzl", _android_boot_image = "android_boot_image")
load("//rules/private:efi_disk.bzl", _efi_disk = "efi_disk")
load("//rules/private:efi_image.bzl", _efi_image = "efi_image")
load("//rules/private:fit_image.bzl", _fit_image = "fit_image")
load("//rules/private:measurements.bzl", _measurements = "measurements")
load("//rules/private:uefi_variables.bzl", _uefi_variables = "uefi_variables")
load("//rules/private:uimage.bzl", _uimage = "uimage")
load("//rules/private:uki.bzl", _uki = "uki", _uki_profile = "uki_profile")

android_boot_image = _android_boot_image
efi_disk = _efi_disk
efi_image = _efi_image
fit_image = _fit_image
measurements = _measurements
uefi_variables = _uefi_variables
uimage = _uimage
uki = _uki
uki_profile = _uki_profile
