"""Module extensions."""

load("//rules/private:host_qemu.bzl", "host_qemu")

def _qemu_impl(mctx):
    host_qemu(name = "rules_initramfs_qemu")
    return mctx.extension_metadata(reproducible = False)

qemu = module_extension(
    implementation = _qemu_impl,
    doc = "The QEMUs on PATH, as toolchains in @rules_initramfs_qemu.",
)
