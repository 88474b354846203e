"""Kernels with an initramfs linked in."""

load(":kbuild.bzl", "KBUILD_ATTRS", "kbuild_action")
load(":paths.bzl", "label_text")
load(":platform_transition.bzl", "PLATFORM_ATTRS", "platform_transition")
load(":providers.bzl", "InitramfsInfo", "KernelInfo")
load(":toolchains.bzl", "KERNEL_TOOLCHAIN_TYPE")

def _link_resources(_os, _inputs):
    return {
        "cpu": 2,
        "memory": 512,
    }

def _link(ctx, kernel, archive, image, vmlinux, config):
    log = ctx.actions.declare_file(ctx.label.name + "/kbuild.log")
    args = ctx.actions.args()
    args.add("--objects", kernel.objects)
    args.add("--initramfs", archive)
    args.add("--image", image)
    args.add("--vmlinux", vmlinux)
    args.add("--config", config)
    args.add("--log", log)
    kbuild_action(
        ctx,
        "KernelLink",
        "Linking initramfs into kernel",
        "link",
        kernel.arch,
        args,
        inputs = [kernel.objects, archive],
        outputs = [image, vmlinux, config, log],
        resource_set = _link_resources,
    )
    return [log]

def _copy(ctx, kernel, image, vmlinux, config):
    for output, file in [(image, kernel.image), (vmlinux, kernel.vmlinux), (config, kernel.config)]:
        ctx.actions.symlink(output = output, target_file = file)
    return []

def _kernel_image_impl(ctx):
    kernel = ctx.attr.kernel[KernelInfo]
    if not kernel.objects:
        fail("%s: kernel: %s was built elsewhere and cannot be linked again: use a kernel_build, or pass the initramfs to the boot loader" % (
            label_text(ctx.label),
            label_text(ctx.attr.kernel.label),
        ))

    def declare(name):
        return ctx.actions.declare_file("%s/%s" % (ctx.label.name, name))

    image = declare(kernel.image.basename)
    vmlinux = declare("vmlinux")
    config = declare("config")
    if ctx.attr.initramfs:
        log = _link(ctx, kernel, ctx.attr.initramfs[InitramfsInfo].archive, image, vmlinux, config)
    else:
        log = _copy(ctx, kernel, image, vmlinux, config)
    return [
        DefaultInfo(files = depset([image])),
        KernelInfo(
            arch = kernel.arch,
            config = config,
            device_tree_sources = kernel.device_tree_sources,
            driver_index = kernel.driver_index,
            image = image,
            module_catalog = kernel.module_catalog,
            module_certificate = kernel.module_certificate,
            module_tree = kernel.module_tree,
            modules = kernel.modules,
            objects = kernel.objects,
            release = kernel.release,
            system_map = kernel.system_map,
            vmlinux = vmlinux,
        ),
        OutputGroupInfo(
            config = depset([config]),
            log = depset(log),
            vmlinux = depset([vmlinux]),
        ),
    ]

kernel_image = rule(
    implementation = _kernel_image_impl,
    attrs = KBUILD_ATTRS | PLATFORM_ATTRS | {
        "initramfs": attr.label(
            doc = """The initramfs, which is linked in unchanged. Without one the kernel has its default,
usr/default_cpio_list: an empty root directory with a console.""",
            providers = [InitramfsInfo],
        ),
        "kernel": attr.label(
            doc = "The kernel: a `kernel_build`.",
            mandatory = True,
            providers = [KernelInfo],
        ),
    },
    cfg = platform_transition,
    doc = """A kernel with an initramfs linked in, as with CONFIG_INITRAMFS_SOURCE, without compiling the kernel again.

Example:

    kernel_image(
        name = "linked",
        initramfs = ":image",
        kernel = ":kernel",
    )

kbuild links it from the objects that `kernel_build` keeps, and the result is the same as that of a build from scratch. The
kernel must have CONFIG_BLK_DEV_INITRD and the archive's codec (CONFIG_RD_GZIP, CONFIG_RD_ZSTD...); otherwise the build
fails and names the option to add. It also fails if the initramfs has a `bootconfig`, because a kernel looks for one only at
the end of what a boot loader passes.

The output is the image (bzImage, Image). Output groups: config, log and vmlinux, as for `kernel_build`.
""",
    provides = [KernelInfo],
    toolchains = [KERNEL_TOOLCHAIN_TYPE],
)
