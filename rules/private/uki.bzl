"""Unified kernel images."""

load(":efi_image.bzl", "EFI_SIGNING_ATTRS", "payload_providers", "signed_efi", "unsigned_name")
load(":pack.bzl", "run_packer")
load(":paths.bzl", "label_text")
load(":platform_transition.bzl", "PLATFORM_ATTRS", "platform_transition")
load(":providers.bzl", "InitramfsInfo", "KernelInfo", "PayloadInfo")
load(":toolchains.bzl", "PACKER_TOOLCHAIN_TYPE")

# Sections that are a file each, by the attribute and the option that name it.
_FILES = {
    "os_release": "--os-release",
    "sbat": "--sbat",
    "splash": "--splash",
    "stub": "--stub",
}

def _uki_impl(ctx):
    origin = label_text(ctx.label)
    kernel = ctx.attr.kernel[KernelInfo]
    initramfs = ctx.attr.initramfs[InitramfsInfo] if ctx.attr.initramfs else None
    unsigned = ctx.actions.declare_file(unsigned_name(ctx))
    inputs = [kernel.image]
    args = ctx.actions.args()
    args.add("--origin", origin)
    args.add("--arch", kernel.arch)
    args.add("--out", unsigned)
    args.add("--kernel", kernel.image)
    for attribute, option in _FILES.items():
        file = getattr(ctx.file, attribute)
        if file:
            args.add(option, file)
            inputs.append(file)
    parts = initramfs.parts if initramfs else []
    args.add_all(parts, before_each = "--initramfs")
    microcode = ctx.attr.microcode[InitramfsInfo].archive if ctx.attr.microcode else None
    if microcode:
        args.add("--microcode", microcode)
        inputs.append(microcode)
    args.add_all(ctx.files.device_tree, before_each = "--device-tree")
    args.add_all(ctx.files.device_trees_auto, before_each = "--device-tree-auto")
    if ctx.attr.kernel_cmdline:
        args.add("--cmdline", " ".join(ctx.attr.kernel_cmdline))
    uname = ctx.attr.uname or kernel.release
    if uname:
        args.add("--uname", uname)
    run_packer(
        ctx,
        "EfiUki",
        "Making EFI executable",
        "uki",
        [unsigned],
        inputs + parts + ctx.files.device_tree + ctx.files.device_trees_auto,
        [args],
    )
    contents = [image.json for image in [initramfs] if image]
    return payload_providers(kernel.arch, "efi", signed_efi(ctx, unsigned), contents, {"unsigned": depset([unsigned])})

uki = rule(
    implementation = _uki_impl,
    attrs = EFI_SIGNING_ATTRS | PLATFORM_ATTRS | {
        "device_tree": attr.label(
            allow_single_file = [".dtb"],
            doc = "The device tree that replaces the firmware's, such as a `device_tree` (.dtb).",
        ),
        "device_trees_auto": attr.label_list(
            allow_files = [".dtb"],
            doc = """Device trees, of which the stub takes the one whose first `compatible` is that of the firmware's device tree
(.dtbauto). The stub must be of systemd 257 or newer.""",
        ),
        "initramfs": attr.label(
            doc = "The initramfs (.initrd), with all its parts.",
            providers = [InitramfsInfo],
        ),
        "kernel": attr.label(
            doc = "The kernel (.linux), with CONFIG_EFI_STUB: a `kernel_build`, `kernel_image` or `kernel_import`.",
            mandatory = True,
            providers = [KernelInfo],
        ),
        "kernel_cmdline": attr.string_list(
            doc = """The kernel's command line (.cmdline), one argument each: `["console=ttyS0", "quiet"]`. With Secure Boot, it
cannot be changed at boot.""",
        ),
        "microcode": attr.label(
            doc = "Microcode, an `early_cpio` (.ucode). The kernel gets it before the initramfs.",
            providers = [InitramfsInfo],
        ),
        "os_release": attr.label(
            allow_single_file = True,
            doc = """An os-release file (.osrel), whose names boot loaders show.""",
        ),
        "sbat": attr.label(
            allow_single_file = True,
            doc = """Lines of SBAT (.sbat) in CSV, by which shim refuses generations with known holes. Those of the stub and of the
kernel are merged with it.""",
        ),
        "splash": attr.label(
            allow_single_file = [".bmp"],
            doc = "A picture that the stub shows (.splash), a Windows bitmap.",
        ),
        "stub": attr.label(
            allow_single_file = True,
            doc = """The EFI stub: the program that the firmware starts, which starts the kernel: linuxx64.efi.stub,
linuxaa64.efi.stub or linuxriscv64.efi.stub of systemd.""",
            mandatory = True,
        ),
        "uname": attr.string(
            doc = "What `uname -r` prints (.uname). By default, the release of the kernel, if it is known before it is built.",
        ),
    },
    cfg = platform_transition,
    doc = """A unified kernel image: an EFI executable with a kernel, an initramfs, and a command line, which UEFI firmware starts
without a boot loader.

Example:

    uki(
        name = "product",
        certificate = "secure_boot.pem",
        initramfs = ":image",
        kernel = ":kernel",
        kernel_cmdline = ["console=ttyS0"],
        os_release = "os-release",
        signing_key = "secure_boot.key",
        stub = "@systemd_boot_efi//:linuxx64.efi.stub",
    )

The sections are those that systemd's ukify writes. The output is NAME.efi, signed for Secure Boot if there is a `signing_key` or a
`signer`. The signature is an action of its own, the last and a small one. Output groups:

    unsigned  the executable before it is signed
""",
    provides = [PayloadInfo],
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)
