"""Images for the boot loader of Android."""

load(":pack.bzl", "add_texts", "run_packer")
load(":paths.bzl", "label_text")
load(":platform_transition.bzl", "PLATFORM_ATTRS", "platform_transition")
load(":providers.bzl", "InitramfsInfo", "KernelInfo")
load(":toolchains.bzl", "PACKER_TOOLCHAIN_TYPE")

# Options of android-boot and android-vendor-boot by attributes that are a text each.
_TEXTS = {
    "os_patch_level": "--os-patch-level",
    "os_version": "--os-version",
}
_VENDOR_TEXTS = {
    "base": "--base",
    "board": "--board",
    "dtb_offset": "--dtb-offset",
    "kernel_offset": "--kernel-offset",
    "page_size": "--page-size",
    "ramdisk_offset": "--ramdisk-offset",
    "tags_offset": "--tags-offset",
}

def _boot(ctx):
    image = ctx.actions.declare_file(ctx.label.name + ".boot.img")
    parts = ctx.attr.initramfs[InitramfsInfo].parts if ctx.attr.initramfs else []
    kernel = [ctx.attr.kernel[KernelInfo].image] if ctx.attr.kernel else []
    args = ctx.actions.args()
    args.add_all(kernel, before_each = "--kernel")
    args.add_all(parts, before_each = "--part")
    if ctx.attr.kernel_cmdline:
        args.add("--cmdline", " ".join(ctx.attr.kernel_cmdline))
    add_texts(args, ctx, _TEXTS)
    args.add("--out", image)
    run_packer(ctx, "AndroidBoot", "Making boot.img", "android-boot", [image], kernel + parts, [args])
    return image

def _vendor_boot(ctx):
    image = ctx.actions.declare_file(ctx.label.name + ".vendor_boot.img")
    args = ctx.actions.args()
    inputs = []
    if ctx.attr.vendor_initramfs:
        parts = ctx.attr.vendor_initramfs[InitramfsInfo].parts
        args.add_all(parts, before_each = "--part")
        inputs += parts
    for target, name in ctx.attr.vendor_ramdisks.items():
        archive = target[InitramfsInfo].archive
        args.add("--ramdisk")
        args.add(archive, format = name.replace("%", "%%") + "=%s")
        inputs.append(archive)
    args.add_all(ctx.files.device_trees, before_each = "--dtb")
    args.add_all(ctx.files.bootconfig, before_each = "--bootconfig")
    if ctx.attr.vendor_cmdline:
        args.add("--cmdline", " ".join(ctx.attr.vendor_cmdline))
    add_texts(args, ctx, _VENDOR_TEXTS)
    args.add("--out", image)
    run_packer(
        ctx,
        "AndroidVendorBoot",
        "Making vendor_boot.img",
        "android-vendor-boot",
        [image],
        inputs + ctx.files.device_trees + ctx.files.bootconfig,
        [args],
    )
    return image

def _android_boot_image_impl(ctx):
    vendor = ctx.attr.vendor_initramfs or ctx.attr.vendor_ramdisks
    for attribute in ["bootconfig", "device_trees", "vendor_cmdline"] + _VENDOR_TEXTS.keys():
        if getattr(ctx.attr, attribute) and not vendor:
            fail("%s: %s: it belongs to vendor_boot.img: set vendor_initramfs or vendor_ramdisks" % (label_text(ctx.label), attribute))
    boot = _boot(ctx)
    vendor_boot = [_vendor_boot(ctx)] if vendor else []
    return [
        DefaultInfo(files = depset([boot] + vendor_boot)),
        OutputGroupInfo(
            boot = depset([boot]),
            vendor_boot = depset(vendor_boot),
        ),
    ]

android_boot_image = rule(
    implementation = _android_boot_image_impl,
    attrs = PLATFORM_ATTRS | {
        "base": attr.string(
            doc = "The address from which the others are counted. By default 0x10000000.",
        ),
        "board": attr.string(
            doc = "The name of the product.",
        ),
        "bootconfig": attr.label(
            allow_single_file = True,
            doc = "The boot configuration of the vendor, which the boot loader appends to the initramfs.",
        ),
        "device_trees": attr.label_list(
            allow_files = True,
            doc = "Device trees, in their order.",
        ),
        "dtb_offset": attr.string(
            doc = "The address of the device trees, from the base. By default 0x1f00000.",
        ),
        "initramfs": attr.label(
            doc = "The generic initramfs, with all its parts.",
            providers = [InitramfsInfo],
        ),
        "kernel": attr.label(
            doc = "The generic kernel. An init_boot.img has none.",
            providers = [KernelInfo],
        ),
        "kernel_cmdline": attr.string_list(
            doc = "Arguments of the kernel's command line, one each.",
        ),
        "kernel_offset": attr.string(
            doc = "The address of the kernel, from the base. By default 0x8000.",
        ),
        "os_patch_level": attr.string(
            doc = """The month of the security patches: `"2026-08"`.""",
        ),
        "os_version": attr.string(
            doc = """The version of Android: `"16.0.0"`.""",
        ),
        "page_size": attr.string(
            doc = "Parts of vendor_boot.img begin at multiples of this many bytes. By default 2048.",
        ),
        "ramdisk_offset": attr.string(
            doc = "The address of the initramfs, from the base. By default 0x1000000.",
        ),
        "tags_offset": attr.string(
            doc = "The address of the kernel's tags, from the base. By default 0x100.",
        ),
        "vendor_cmdline": attr.string_list(
            doc = "Arguments of the kernel's command line in vendor_boot.img, one each.",
        ),
        "vendor_initramfs": attr.label(
            doc = "The initramfs of the device (platform), with all its parts. The kernel unpacks it before the generic one.",
            providers = [InitramfsInfo],
        ),
        "vendor_ramdisks": attr.label_keyed_string_dict(
            doc = """More of them, with a type and a name: `{":modules": "dlkm:modules"}`. A type is `none`, `platform`,
`recovery` or `dlkm`.""",
            providers = [InitramfsInfo],
        ),
    },
    cfg = platform_transition,
    doc = """A boot.img for Android, version 4, and a vendor_boot.img if there is a vendor's initramfs.

Example:

    android_boot_image(
        name = "android",
        initramfs = ":generic",
        kernel = ":kernel",
        vendor_initramfs = ":vendor",
    )

The images are those that mkbootimg makes. The outputs are NAME.boot.img and NAME.vendor_boot.img, which the output groups boot and
vendor_boot have one each. They are not signed: avbtool does this.
""",
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)
