"""Module extensions."""

load("//rules/private:host_compilers.bzl", "host_compilers")
load("//rules/private:host_firmware.bzl", "host_firmware")
load("//rules/private:host_qemu.bzl", "host_qemu")

def _firmware_impl(mctx):
    host_firmware(name = "rules_initramfs_firmware")
    return mctx.extension_metadata(reproducible = False)

firmware = module_extension(
    implementation = _firmware_impl,
    doc = """Finds UEFI firmware, U-Boot and swtpm on this machine, and makes toolchains of them in
@rules_initramfs_firmware.""",
)

def _kernel_compilers_impl(mctx):
    host_compilers(name = "rules_initramfs_compilers")
    return mctx.extension_metadata(reproducible = False)

kernel_compilers = module_extension(
    implementation = _kernel_compilers_impl,
    doc = "Finds the compilers for kernels on PATH, and makes toolchains of them in @rules_initramfs_compilers.",
)

def _qemu_impl(mctx):
    host_qemu(name = "rules_initramfs_qemu")
    return mctx.extension_metadata(reproducible = False)

qemu = module_extension(
    implementation = _qemu_impl,
    doc = "Finds the QEMUs on PATH, and makes toolchains of them in @rules_initramfs_qemu.",
)
