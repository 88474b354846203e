"""uImages, the old format of U-Boot."""

load(":archs.bzl", "ARCH_ATTRS", "target_arch")
load(":pack.bzl", "add_texts", "run_packer")
load(":paths.bzl", "label_text")
load(":platform_transition.bzl", "PLATFORM_ATTRS", "platform_transition")
load(":providers.bzl", "InitramfsInfo", "KernelInfo")
load(":toolchains.bzl", "PACKER_TOOLCHAIN_TYPE")

# Options of the packer by attributes that are a text each.
_TEXTS = {
    "compression": "--compress",
    "entry_address": "--entry",
    "image_name": "--name",
    "load_address": "--load",
}

_SOURCES = ["initramfs", "kernel", "script"]

def uimage_action(ctx, image, kind, arch, parts, options = []):
    """Makes a uImage.

    Args:
        ctx: the context of a rule with the packer's toolchain.
        image: the File to make.
        kind: "kernel", "ramdisk" or "script".
        arch: the architecture, a key of ARCHS.
        parts: list of File.
        options: list of Args: more options of packer uimage.
    """
    args = ctx.actions.args()
    args.add("--type", kind)
    args.add("--arch", arch)
    args.add("--out", image)
    args.add_all(parts)
    run_packer(ctx, "UImage", "Making uImage", "uimage", [image], parts, options + [args])

def _uimage_impl(ctx):
    given = [name for name in _SOURCES if getattr(ctx.attr, name)]
    if len(given) != 1:
        fail("%s: set one of initramfs, kernel and script" % label_text(ctx.label))
    if given[0] != "kernel" and ctx.attr.compression:
        fail("%s: compression: it is for a kernel; U-Boot decompresses nothing else" % label_text(ctx.label))
    image = ctx.actions.declare_file(ctx.label.name + (".scr" if ctx.file.script else ".uimage"))
    if ctx.attr.kernel:
        kind, parts = "kernel", [ctx.attr.kernel[KernelInfo].image]
    elif ctx.attr.initramfs:
        kind, parts = "ramdisk", ctx.attr.initramfs[InitramfsInfo].parts
    else:
        kind, parts = "script", [ctx.file.script]
    header = ctx.actions.args()
    add_texts(header, ctx, _TEXTS)
    uimage_action(ctx, image, kind, target_arch(ctx), parts, [header])
    return [DefaultInfo(files = depset([image]))]

uimage = rule(
    implementation = _uimage_impl,
    attrs = ARCH_ATTRS | PLATFORM_ATTRS | {
        "compression": attr.string(
            doc = """What the kernel is compressed with already, such as "gzip", which U-Boot undoes.""",
        ),
        "entry_address": attr.string(
            doc = "The address at which the kernel starts. By default, `load_address`.",
        ),
        "image_name": attr.string(
            doc = "What U-Boot shows of the image, at most 32 bytes.",
        ),
        "initramfs": attr.label(
            doc = "An initramfs, with all its parts.",
            providers = [InitramfsInfo],
        ),
        "kernel": attr.label(
            doc = "A kernel.",
            providers = [KernelInfo],
        ),
        "load_address": attr.string(
            doc = """The address to which U-Boot copies the kernel, such as "0x80200000".""",
        ),
        "script": attr.label(
            allow_single_file = True,
            doc = "Commands of U-Boot, which runs /boot.scr of a disk by itself.",
        ),
    },
    cfg = platform_transition,
    doc = """A uImage, the old format of U-Boot, of a kernel, an initramfs or a script. New boards take a `fit_image`.

Example:

    uimage(
        name = "boot",
        script = "boot.cmd",
    )

The image is the one that mkimage makes. The output is NAME.uimage, or NAME.scr for a script.
""",
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)
