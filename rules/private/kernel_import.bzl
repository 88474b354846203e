"""Kernels that were built elsewhere."""

load(":archs.bzl", "ARCH_ATTRS", "target_arch")
load(":module_catalog.bzl", "catalog_action", "driver_index_action", "unpack_modules")
load(":paths.bzl", "label_text")
load(":providers.bzl", "KernelInfo")
load(":toolchains.bzl", "PACKER_TOOLCHAIN_TYPE")

def _modules(ctx):
    """The directory that has the modules, or None."""
    files = ctx.files.modules
    if ctx.attr.modules and not files:
        fail("%s: modules: there are no files: add some, or leave the attribute out" % label_text(ctx.label))
    if not files:
        return None
    if len(files) == 1 and files[0].is_directory:
        return files[0]
    if [file for file in files if file.is_directory]:
        fail("%s: modules: want a single directory, or archives" % label_text(ctx.label))
    return unpack_modules(ctx, files)

def _kernel_import_impl(ctx):
    modules = _modules(ctx)
    return [
        DefaultInfo(files = depset([ctx.file.image])),
        KernelInfo(
            arch = target_arch(ctx),
            config = ctx.file.config,
            driver_index = driver_index_action(ctx, ctx.file.source) if ctx.file.source else None,
            image = ctx.file.image,
            module_catalog = catalog_action(ctx, modules) if modules else None,
            modules = modules,
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
        "modules": attr.label_list(
            allow_files = True,
            doc = """The modules, for `kernel_modules`: archives that have lib/modules/RELEASE or usr/lib/modules/RELEASE, such as a
distribution's packages (.deb, tar, cpio), or a directory (tree artifact) that has it. The files beside the modules
(modules.order, modules.builtin, modules.builtin.modinfo) belong to them; some distributions have them in another package.""",
        ),
        "release": attr.string(
            doc = """What `uname -r` prints, such as "6.12.41".""",
        ),
        "source": attr.label(
            allow_single_file = True,
            doc = """The kernel's source, a tar archive, compressed with xz, zstd, gzip or bzip2, or not compressed. With it and
`config`, the report of `kernel_modules` names the options that turn on drivers for devices that nothing serves.""",
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
        modules = ["@vendor_kernel//:linux-modules.deb"],
    )

The kernel is for the architecture of the target platform.
""",
    provides = [KernelInfo],
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)
