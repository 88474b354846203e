"""EFI executables, signed or not, from a file that is one."""

load(":pack.bzl", "run_packer")
load(":paths.bzl", "label_text")
load(":platform_transition.bzl", "PLATFORM_ATTRS", "platform_transition")
load(":providers.bzl", "InitramfsInfo", "KernelInfo", "PayloadInfo")
load(":signing.bzl", "signing_attrs", "signing_by", "signing_options")
load(":toolchains.bzl", "PACKER_TOOLCHAIN_TYPE")

EFI_SIGNING_ATTRS = signing_attrs("the executable") | {
    "valid_on": attr.string(
        doc = """A day on which the certificate must be valid, such as `"2030-01-01"`. Without it, nothing looks at the dates of the
certificate, as UEFI firmware does not.""",
    ),
}

def payload_providers(arch, format, image, contents, groups = {}, device_trees = False, key_name = None):
    """The providers of a payload.

    Args:
        arch: the architecture, a key of ARCHS.
        format: "efi" or "fit".
        image: the File.
        contents: list of File, as in PayloadInfo.
        groups: dict of more output groups.
        device_trees: whether it has device trees.
        key_name: the name of the key in its signatures, or None.

    Returns:
        A list of providers.
    """
    return [
        DefaultInfo(files = depset([image])),
        PayloadInfo(
            arch = arch,
            contents = contents,
            device_trees = device_trees,
            format = format,
            image = image,
            key_name = key_name,
        ),
        OutputGroupInfo(**groups),
    ]

def signed_efi(ctx, unsigned):
    """Signs an EFI executable as the attributes say.

    Args:
        ctx: the context of a rule with EFI_SIGNING_ATTRS and the packer's toolchain.
        unsigned: the File.

    Returns:
        A File: NAME.efi, signed, or `unsigned` if nothing signs.
    """
    origin = label_text(ctx.label)
    by = signing_by(ctx, origin)
    if not by:
        return unsigned
    if not ctx.file.certificate:
        fail("%s: %s: no certificate: set certificate" % (origin, by))
    signing = signing_options(ctx, ctx.file.certificate)
    image = ctx.actions.declare_file(ctx.label.name + ".efi")
    args = ctx.actions.args()
    args.add("--origin", origin)
    if ctx.attr.valid_on:
        args.add("--valid-on", ctx.attr.valid_on)
    args.add("--out", image)
    args.add(unsigned)
    run_packer(
        ctx,
        "EfiSign",
        "Signing EFI executable",
        "sign-efi",
        [image],
        [unsigned] + signing.inputs,
        [signing.args, args],
        requirements = signing.requirements,
        tools = signing.tools,
    )
    return image

def unsigned_name(ctx):
    """The file name of an EFI executable before it is signed.

    Args:
        ctx: the context of a rule with EFI_SIGNING_ATTRS.

    Returns:
        A string.
    """
    signed = ctx.attr.signing_key or ctx.attr.signer
    return ctx.label.name + (".unsigned.efi" if signed else ".efi")

def _efi_image_impl(ctx):
    kernel = ctx.attr.kernel[KernelInfo]
    unsigned = ctx.actions.declare_file(unsigned_name(ctx))
    ctx.actions.symlink(output = unsigned, target_file = kernel.image)
    contents = [ctx.attr.initramfs[InitramfsInfo].json] if ctx.attr.initramfs else []
    return payload_providers(kernel.arch, "efi", signed_efi(ctx, unsigned), contents, {"unsigned": depset([unsigned])})

efi_image = rule(
    implementation = _efi_image_impl,
    attrs = EFI_SIGNING_ATTRS | PLATFORM_ATTRS | {
        "initramfs": attr.label(
            doc = "The initramfs that is linked into the kernel, for the explanations of `measurements`.",
            providers = [InitramfsInfo],
        ),
        "kernel": attr.label(
            doc = """The kernel, with CONFIG_EFI_STUB: a `kernel_image` with a linked initramfs, or another one. It gets its command
line from CONFIG_CMDLINE.""",
            mandatory = True,
            providers = [KernelInfo],
        ),
    },
    cfg = platform_transition,
    doc = """A kernel that UEFI firmware starts by itself, without a stub or a boot loader.

Example:

    kernel_image(
        name = "linked",
        initramfs = ":image",
        kernel = ":kernel",
    )

    efi_image(
        name = "product",
        certificate = "secure_boot.pem",
        kernel = ":linked",
        signing_key = "secure_boot.key",
    )

The output is NAME.efi, signed for Secure Boot if there is a `signing_key` or a `signer`. Output groups:

    unsigned  the executable before it is signed
""",
    provides = [PayloadInfo],
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)
