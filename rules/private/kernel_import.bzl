"""Kernels that were built elsewhere."""

load(":archs.bzl", "ARCH_ATTRS", "target_arch")
load(":providers.bzl", "KernelInfo")

def _kernel_import_impl(ctx):
    return [
        DefaultInfo(files = depset([ctx.file.image])),
        KernelInfo(
            arch = target_arch(ctx),
            config = ctx.file.config,
            image = ctx.file.image,
            modules = None,
            objects = None,
            release = ctx.attr.release or None,
            vmlinux = ctx.file.vmlinux,
        ),
    ]

kernel_import = rule(
    implementation = _kernel_import_impl,
    attrs = ARCH_ATTRS | {
        "config": attr.label(
            allow_single_file = True,
            doc = "Its .config.",
        ),
        "image": attr.label(
            allow_single_file = True,
            doc = "What a boot loader starts: a bzImage, an Image, a packaged vmlinuz.",
            mandatory = True,
        ),
        "release": attr.string(
            doc = "What `uname -r` says under it.",
        ),
        "vmlinux": attr.label(
            allow_single_file = True,
            doc = "The ELF image with its symbols.",
        ),
    },
    doc = """A kernel that was built elsewhere, such as a distribution's.

Example:

    kernel_import(
        name = "kernel",
        image = "@vendor_kernel//:bzImage",
    )

It is a kernel for the architecture of the target platform.
""",
    provides = [KernelInfo],
)
