"""Rules for toolchains of one's own."""

load(
    "//rules/private:toolchains.bzl",
    _packer_toolchain = "packer_toolchain",
    _qemu_toolchain = "qemu_toolchain",
)

packer_toolchain = _packer_toolchain
qemu_toolchain = _qemu_toolchain
