"""Rules for your own toolchains."""

load(
    "//rules/private:toolchains.bzl",
    _kernel_toolchain = "kernel_toolchain",
    _packer_toolchain = "packer_toolchain",
    _qemu_toolchain = "qemu_toolchain",
    _swtpm_toolchain = "swtpm_toolchain",
    _uboot_toolchain = "uboot_toolchain",
    _uefi_toolchain = "uefi_toolchain",
)

kernel_toolchain = _kernel_toolchain
packer_toolchain = _packer_toolchain
qemu_toolchain = _qemu_toolchain
swtpm_toolchain = _swtpm_toolchain
uboot_toolchain = _uboot_toolchain
uefi_toolchain = _uefi_toolchain
