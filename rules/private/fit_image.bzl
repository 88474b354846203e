"""FIT images, which U-Boot starts."""

load(":efi_image.bzl", "payload_providers")
load(":pack.bzl", "add_texts", "run_packer")
load(":paths.bzl", "label_text")
load(":platform_transition.bzl", "PLATFORM_ATTRS", "platform_transition")
load(":providers.bzl", "InitramfsInfo", "KernelInfo", "PayloadInfo")
load(":signing.bzl", "signing_attrs", "signing_by", "signing_options")
load(":single_file.bzl", "single_file")
load(":toolchains.bzl", "PACKER_TOOLCHAIN_TYPE")

# Options of the packer by attributes that are a text each.
_TEXTS = {
    "default": "--default",
    "description": "--description",
    "entry_address": "--entry",
    "initramfs_address": "--ramdisk-load",
    "kernel_compression": "--compress",
    "load_address": "--load",
}

def _signed(ctx, unsigned):
    """Signs all configurations if the attributes say so."""
    origin = label_text(ctx.label)
    by = signing_by(ctx, origin)
    if not by:
        if ctx.attr.key_name:
            fail("%s: key_name: nothing signs: set signing_key or signer, or leave it out" % origin)
        return unsigned, None
    if not ctx.file.certificate:
        fail("%s: %s: no certificate: set certificate" % (origin, by))
    name = ctx.attr.key_name or ctx.file.certificate.basename.rsplit(".", 1)[0]
    signing = signing_options(ctx, ctx.file.certificate)
    image = ctx.actions.declare_file(ctx.label.name + ".itb")
    args = ctx.actions.args()
    args.add("--key-name", name)
    args.add("--out", image)
    args.add(unsigned)
    run_packer(
        ctx,
        "FitSign",
        "Signing FIT image",
        "fit-sign",
        [image],
        [unsigned] + signing.inputs,
        [signing.args, args],
        requirements = signing.requirements,
        tools = signing.tools,
    )
    return image, name

def _fit_image_impl(ctx):
    origin = label_text(ctx.label)
    kernel = ctx.attr.kernel[KernelInfo]
    initramfs = ctx.attr.initramfs[InitramfsInfo] if ctx.attr.initramfs else None
    signed = ctx.attr.signing_key or ctx.attr.signer
    unsigned = ctx.actions.declare_file(ctx.label.name + (".unsigned.itb" if signed else ".itb"))
    inputs = [kernel.image]
    args = ctx.actions.args()
    args.add("--arch", kernel.arch)
    args.add("--kernel", kernel.image)
    add_texts(args, ctx, _TEXTS)
    parts = initramfs.parts if initramfs else []
    args.add_all(parts, before_each = "--part")
    for attribute, option in {"device_trees": "--device-tree", "overlays": "--overlay"}.items():
        for name, target in getattr(ctx.attr, attribute).items():
            file = single_file("%s: %s: %s" % (origin, attribute, name), target)
            args.add(option)
            args.add(file, format = name.replace("%", "%%") + "=%s")
            inputs.append(file)
    for name, trees in ctx.attr.configurations.items():
        args.add("--configuration", "%s=%s" % (name, ",".join(trees)) if trees else name)
    for name, compatible in ctx.attr.compatible.items():
        args.add_all(compatible, before_each = "--compatible", format_each = name.replace("%", "%%") + "=%s")
    args.add_all(ctx.attr.hashes, before_each = "--hash")
    if ctx.attr.external:
        args.add("--external")
    args.add("--out", unsigned)
    run_packer(ctx, "Fit", "Making FIT image", "fit", [unsigned], inputs + parts, [args])
    image, key_name = _signed(ctx, unsigned)
    return payload_providers(
        kernel.arch,
        "fit",
        image,
        [initramfs.json] if initramfs else [],
        {"unsigned": depset([unsigned])},
        device_trees = bool(ctx.attr.device_trees),
        key_name = key_name,
    )

fit_image = rule(
    implementation = _fit_image_impl,
    attrs = signing_attrs("the configurations") | PLATFORM_ATTRS | {
        "compatible": attr.string_list_dict(
            doc = """The compatible strings of machines that a configuration is for, by its name. By default those of its
device tree.""",
        ),
        "configurations": attr.string_list_dict(
            doc = """What boots together: the name of a device tree and then those of its overlays, by the name of the configuration:
`{"board": ["board", "camera"]}`. By default, a configuration for each device tree, with its name.""",
        ),
        "default": attr.string(
            doc = "The name of the configuration that boots by default, which is otherwise the first one.",
        ),
        "description": attr.string(
            doc = "What U-Boot shows of the image.",
        ),
        "device_trees": attr.string_keyed_label_dict(
            allow_files = [".dtb"],
            doc = """Device trees by their names, such as `device_tree` targets: `{"board": ":board"}`. Without one, the kernel gets
the device tree of U-Boot.""",
        ),
        "entry_address": attr.string(
            doc = "The address at which the kernel starts. By default, `load_address`.",
        ),
        "external": attr.bool(
            doc = "Whether the files come after the tree of the image, as with mkimage -E, so that U-Boot need not read all of it.",
        ),
        "hashes": attr.string_list(
            default = ["sha256"],
            doc = """The hashes of each file, which U-Boot checks: "sha256", "sha384", "sha512", "sha1", "md5", "crc32".""",
        ),
        "initramfs": attr.label(
            doc = "The initramfs, with all its parts.",
            providers = [InitramfsInfo],
        ),
        "initramfs_address": attr.string(
            doc = "The address to which the initramfs is copied. By default, U-Boot chooses one.",
        ),
        "kernel": attr.label(
            doc = "The kernel, for arm64 or riscv64: a `kernel_build`, `kernel_image` or `kernel_import`.",
            mandatory = True,
            providers = [KernelInfo],
        ),
        "kernel_compression": attr.string(
            doc = """The compression of the kernel, which U-Boot undoes: "gzip", "none" or another, with a level as in
"gzip:9". By default "gzip".""",
        ),
        "key_name": attr.string(
            doc = """The name of the key in the signatures, which U-Boot looks up in its own device tree. By default, the name of the
certificate's file.""",
        ),
        "load_address": attr.string(
            doc = """The address to which the kernel is copied, such as "0x80200000". By default, U-Boot finds a place for it.""",
        ),
        "overlays": attr.string_keyed_label_dict(
            allow_files = [".dtbo"],
            doc = "Overlays of device trees by their names.",
        ),
    },
    cfg = platform_transition,
    doc = """A FIT image: a kernel, an initramfs and device trees, which U-Boot starts.

Example:

    fit_image(
        name = "product",
        certificate = "uboot.pem",
        device_trees = {"board": ":board"},
        initramfs = ":image",
        kernel = ":kernel",
        signing_key = "uboot.key",
    )

The image is the one that mkimage makes. The output is NAME.itb, whose configurations are signed if there is a `signing_key` or a
`signer`. The signature is an action of its own, the last and a small one. Output groups:

    unsigned  the image before it is signed
""",
    provides = [PayloadInfo],
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)
