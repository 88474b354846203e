"""Kernels that were built elsewhere."""

load(":archs.bzl", "ARCH_ATTRS", "target_arch")
load(":kbuild.bzl", "KBUILD_ATTRS")
load(":module_catalog.bzl", "catalog_action", "driver_index_action", "unpack_modules")
load(":module_tree.bzl", "import_headers_action")
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

def _headers(ctx, arch):
    """The module tree and the Module.symvers, or None for both."""
    files = ctx.files.headers
    where = "%s: headers" % label_text(ctx.label)
    if ctx.attr.headers and not files:
        fail("%s: there are no files: add some, or leave the attribute out" % where)
    if [file for file in files if file.is_directory]:
        fail("%s: want archives, such as packages, not a directory" % where)
    return import_headers_action(ctx, arch, files, ctx.attr.release) if files else (None, None)

def _kernel_import_impl(ctx):
    arch = target_arch(ctx)
    modules = _modules(ctx)
    module_tree, symvers = _headers(ctx, arch)
    return [
        DefaultInfo(files = depset([ctx.file.image])),
        KernelInfo(
            arch = arch,
            config = ctx.file.config,
            device_tree_sources = None,
            driver_index = driver_index_action(ctx, ctx.file.source) if ctx.file.source else None,
            image = ctx.file.image,
            module_catalog = catalog_action(ctx, modules) if modules else None,
            module_certificate = ctx.file.module_certificate,
            module_tree = module_tree,
            modules = modules,
            objects = None,
            release = ctx.attr.release or None,
            system_map = ctx.file.system_map,
            vmlinux = ctx.file.vmlinux,
        ),
        OutputGroupInfo(
            module_tree = depset([module_tree] if module_tree else []),
            modules = depset([modules] if modules else []),
            symvers = depset([symvers] if symvers else []),
        ),
    ]

kernel_import = rule(
    implementation = _kernel_import_impl,
    attrs = ARCH_ATTRS | KBUILD_ATTRS | {
        "config": attr.label(
            allow_single_file = True,
            doc = "The kernel's .config.",
        ),
        "headers": attr.label_list(
            allow_files = True,
            doc = """The distribution's packages that modules are compiled with, for `kernel_module`: archives (.deb, tar, cpio)
which together have the headers, the Makefiles and kbuild's programs. Debian has them in linux-headers-RELEASE,
linux-headers-RELEASE-common and linux-kbuild-RELEASE. The last has programs, and must be that for the machine that compiles.""",
        ),
        "image": attr.label(
            allow_single_file = True,
            doc = "The image that a boot loader starts: a bzImage, an Image, or the vmlinuz of a package.",
            mandatory = True,
        ),
        "module_certificate": attr.label(
            allow_single_file = True,
            doc = """The certificate of the key that `kernel_modules` signs modules with, in PEM or DER. The kernel must have it.""",
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
        "system_map": attr.label(
            allow_single_file = True,
            doc = """The kernel's System.map. With it, `kernel_modules` fails if a module needs a symbol that neither the kernel nor
another module has.""",
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

The output is the image. Output groups:

    module_tree  what modules are compiled with, if `headers` is given
    modules      the directory that has the modules
    symvers      the symbols that the kernel and its modules export (Module.symvers), if `headers` is given
""",
    provides = [KernelInfo],
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)
