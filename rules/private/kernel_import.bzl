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
            doc = "The kernel's .config.",
        ),
        "image": attr.label(
            allow_single_file = True,
            doc = "The image that a boot loader starts: a bzImage, an Image, or the vmlinuz of a package.",
            mandatory = True,
        ),
        "release": attr.string(
            doc = """What `uname -r` prints, such as "6.12.41".""",
        ),
        "vmlinux": attr.label(
            allow_single_file = True,
            doc = "The ELF image with its symbols, for a debugger.",
        ),
    },
    doc = """A kernel that was built elsewhere, such as a distribution's.

Example:

    kernel_import(
        name = "kernel",
        image = "@vendor_kernel//:bzImage",
    )

The kernel is for the architecture of the target platform.
""",
    provides = [KernelInfo],
)
