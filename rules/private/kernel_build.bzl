"""Kernels from source."""

load(":archs.bzl", "ARCHS", "ARCH_ATTRS", "target_arch")
load(":device_tree.bzl", "device_tree_sources_action")
load(":kbuild.bzl", "KBUILD_ATTRS", "kbuild_action")
load(":module_catalog.bzl", "catalog_action", "driver_index_action")
load(":module_tree.bzl", "user_headers_action")
load(":paths.bzl", "label_text")
load(":platform_transition.bzl", "PLATFORM_ATTRS", "platform_transition")
load(":providers.bzl", "KernelInfo")
load(":single_file.bzl", "check_files")
load(":toolchains.bzl", "KERNEL_TOOLCHAIN_TYPE", "PACKER_TOOLCHAIN_TYPE")

# kbuild uses all idle CPUs, except for a quarter of the time: unpacking, configuring and linking use one.
def _compile_resources(_os, _inputs):
    return {
        "cpu": 2,
        "memory": 2048,
    }

def _kernel_build_impl(ctx):
    if bool(ctx.attr.config) == bool(ctx.attr.config_file):
        fail("%s: set either config, such as \"tinyconfig\", or config_file" % label_text(ctx.label))
    for target in ctx.attr.trusted_certificates:
        check_files("%s: trusted_certificates" % label_text(ctx.label), target)
    arch = target_arch(ctx)

    def declare(name):
        return ctx.actions.declare_file("%s/%s" % (ctx.label.name, name))

    image = declare(ARCHS[arch].image)
    vmlinux = declare("vmlinux")
    config = declare("config")
    system_map = declare("System.map")
    release = declare("release")
    objects = declare("objects.tar.zst")
    module_tree = declare("module_tree.tar.zst")
    symvers = declare("Module.symvers")
    log = declare("kbuild.log")
    modules = ctx.actions.declare_directory(ctx.label.name + "/modules")

    args = ctx.actions.args()
    args.add("--source", ctx.file.source)
    args.add_all(ctx.files.patches, before_each = "--patch")
    if ctx.attr.config:
        args.add("--defconfig", ctx.attr.config)
    else:
        args.add("--config-file", ctx.file.config_file)
    args.add_all(ctx.files.fragments, before_each = "--fragment")
    if ctx.file.module_certificate:
        args.add("--module-certificate", ctx.file.module_certificate)
    args.add_all(ctx.files.trusted_certificates, before_each = "--trusted-certificates")
    args.add("--image", image)
    args.add("--vmlinux", vmlinux)
    args.add("--config", config)
    args.add("--system-map", system_map)
    args.add("--release", release)
    args.add("--objects", objects)
    args.add("--module-tree", module_tree)
    args.add("--symvers", symvers)
    args.add("--log", log)
    args.add_all("--modules", [modules], expand_directories = False)
    kbuild_action(
        ctx,
        "KernelCompile",
        "Compiling kernel",
        "compile",
        arch,
        args,
        inputs = [ctx.file.source] + ctx.files.patches + ctx.files.config_file + ctx.files.fragments +
                 ctx.files.module_certificate + ctx.files.trusted_certificates,
        outputs = [image, vmlinux, config, system_map, release, objects, module_tree, symvers, log, modules],
        resource_set = _compile_resources,
    )
    return [
        DefaultInfo(files = depset([image])),
        KernelInfo(
            arch = arch,
            config = config,
            device_tree_sources = device_tree_sources_action(ctx, arch, ctx.file.source, ctx.files.patches),
            driver_index = driver_index_action(ctx, ctx.file.source),
            image = image,
            module_catalog = catalog_action(ctx, modules),
            module_certificate = ctx.file.module_certificate,
            module_tree = module_tree,
            modules = modules,
            objects = objects,
            release = None,
            system_map = system_map,
            vmlinux = vmlinux,
        ),
        OutputGroupInfo(
            config = depset([config]),
            headers = depset([user_headers_action(ctx, arch, ctx.file.source, ctx.files.patches)]),
            log = depset([log]),
            module_tree = depset([module_tree]),
            modules = depset([modules]),
            objects = depset([objects]),
            release = depset([release]),
            symvers = depset([symvers]),
            system_map = depset([system_map]),
            vmlinux = depset([vmlinux]),
        ),
    ]

kernel_build = rule(
    implementation = _kernel_build_impl,
    attrs = ARCH_ATTRS | KBUILD_ATTRS | PLATFORM_ATTRS | {
        "config": attr.string(
            doc = """The configuration to start from, by its name in kbuild: "tinyconfig", "defconfig", or one of
arch/*/configs. Set either this or `config_file`.""",
        ),
        "config_file": attr.label(
            allow_single_file = True,
            doc = "The configuration to start from, a .config file, in place of `config`.",
        ),
        "fragments": attr.label_list(
            allow_files = True,
            doc = """Files with lines of a .config, `CONFIG_X=y` or `# CONFIG_X is not set`, which replace those of the
configuration, in this order. The build fails if an option does not get its value because an option that it depends on is
off.""",
        ),
        "module_certificate": attr.label(
            allow_single_file = True,
            doc = """The certificate of the key that modules are signed with, in PEM or DER, without the key. The kernel then trusts
modules that `kernel_modules` signs. It sets CONFIG_MODULE_SIG_KEY, and turns CONFIG_MODULE_SIG_ALL off, because kbuild has no key to
sign with. A fragment must have `CONFIG_MODULE_SIG=y`.""",
        ),
        "patches": attr.label_list(
            allow_files = True,
            doc = "Patches in the format of git, applied in this order.",
        ),
        "source": attr.label(
            allow_single_file = True,
            doc = "The kernel's source: a tar archive, compressed with xz, zstd, gzip or bzip2, or not compressed.",
            mandatory = True,
        ),
        "trusted_certificates": attr.label_list(
            allow_files = True,
            doc = """More certificates that the kernel trusts, such as those of a vendor's modules, in PEM or DER. They set
CONFIG_SYSTEM_TRUSTED_KEYS. The kernel must have CONFIG_SYSTEM_TRUSTED_KEYRING, which CONFIG_MODULE_SIG selects.""",
        ),
    },
    cfg = platform_transition,
    doc = """A kernel that kbuild, its own build system, compiles from source.

Example:

    kernel_build(
        name = "kernel",
        config = "tinyconfig",
        fragments = ["console.config"],
        source = "@linux//file",
    )

This takes minutes, once: `kernel_image` links an initramfs into the kernel in seconds, without this action. The kernel is
for the architecture of the target platform. The target is skipped if there is no compiler for it.

Two builds give the same bytes, wherever and whenever they run, unless an option makes kbuild generate a random seed, such as
CONFIG_RANDSTRUCT_FULL. With CONFIG_MODULE_SIG, kbuild would make a key: set `module_certificate`.

The output is the image (bzImage, Image). Output groups:

    config      the whole configuration
    headers     the headers for programs (UAPI), as make headers_install installs them
    log         what kbuild printed
    module_tree what kernel_module needs to compile modules for the kernel
    modules     the modules, as lib/modules/RELEASE, for `kernel_modules`
    objects     what kernel_image needs to link the kernel again
    release     what `uname -r` prints
    symvers     the symbols that modules can use, the kernel's Module.symvers
    system_map  the addresses of the symbols
    vmlinux     the ELF image with its symbols
""",
    provides = [KernelInfo],
    toolchains = [
        KERNEL_TOOLCHAIN_TYPE,
        PACKER_TOOLCHAIN_TYPE,
    ],
)
