"""Kernels from source."""

load(":archs.bzl", "ARCHS", "ARCH_ATTRS", "target_arch")
load(":kbuild.bzl", "KBUILD_ATTRS", "kbuild_action")
load(":module_catalog.bzl", "catalog_action", "driver_index_action")
load(":paths.bzl", "label_text")
load(":platform_transition.bzl", "PLATFORM_ATTRS", "platform_transition")
load(":providers.bzl", "KernelInfo")
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
    arch = target_arch(ctx)

    def declare(name):
        return ctx.actions.declare_file("%s/%s" % (ctx.label.name, name))

    image = declare(ARCHS[arch].image)
    vmlinux = declare("vmlinux")
    config = declare("config")
    system_map = declare("System.map")
    release = declare("release")
    objects = declare("objects.tar.zst")
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
    args.add("--image", image)
    args.add("--vmlinux", vmlinux)
    args.add("--config", config)
    args.add("--system-map", system_map)
    args.add("--release", release)
    args.add("--objects", objects)
    args.add("--log", log)
    args.add_all("--modules", [modules], expand_directories = False)
    kbuild_action(
        ctx,
        "KernelCompile",
        "Compiling kernel",
        "compile",
        arch,
        args,
        inputs = [ctx.file.source] + ctx.files.patches + ctx.files.config_file + ctx.files.fragments,
        outputs = [image, vmlinux, config, system_map, release, objects, log, modules],
        resource_set = _compile_resources,
    )
    return [
        DefaultInfo(files = depset([image])),
        KernelInfo(
            arch = arch,
            config = config,
            driver_index = driver_index_action(ctx, ctx.file.source),
            image = image,
            module_catalog = catalog_action(ctx, modules),
            modules = modules,
            objects = objects,
            release = None,
            vmlinux = vmlinux,
        ),
        OutputGroupInfo(
            config = depset([config]),
            log = depset([log]),
            modules = depset([modules]),
            objects = depset([objects]),
            release = depset([release]),
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
        "patches": attr.label_list(
            allow_files = True,
            doc = "Patches in the format of git, applied in this order.",
        ),
        "source": attr.label(
            allow_single_file = True,
            doc = "The kernel's source: a tar archive, compressed with xz, zstd, gzip or bzip2, or not compressed.",
            mandatory = True,
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

Two builds give the same bytes, wherever and whenever they run, unless an option makes kbuild generate a random key or seed,
such as CONFIG_MODULE_SIG_ALL and CONFIG_RANDSTRUCT_FULL.

The output is the image (bzImage, Image). Output groups:

    config      the whole configuration
    log         what kbuild printed
    modules     the modules, as lib/modules/RELEASE, for `kernel_modules`
    objects     what kernel_image needs to link the kernel again
    release     what `uname -r` prints
    system_map  the addresses of the symbols
    vmlinux     the ELF image with its symbols
""",
    provides = [KernelInfo],
    toolchains = [
        KERNEL_TOOLCHAIN_TYPE,
        PACKER_TOOLCHAIN_TYPE,
    ],
)
