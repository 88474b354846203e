"""A kernel that needs no programs, unlike a kernel_import, whose rule brings the one that runs kbuild."""

load("@rules_initramfs//rules:defs.bzl", "KernelInfo")

def _kernel_impl(ctx):
    return [
        DefaultInfo(files = depset([ctx.file.image])),
        KernelInfo(
            arch = "x86_64",
            config = None,
            device_tree_sources = None,
            driver_index = None,
            image = ctx.file.image,
            module_catalog = None,
            module_certificate = None,
            module_tree = None,
            modules = None,
            objects = None,
            release = None,
            system_map = None,
            vmlinux = None,
        ),
    ]

kernel = rule(
    implementation = _kernel_impl,
    attrs = {
        "image": attr.label(
            allow_single_file = True,
            mandatory = True,
        ),
    },
    provides = [KernelInfo],
)
