"""Unified kernel images."""

load(":efi_image.bzl", "EFI_SIGNING_ATTRS", "payload_providers", "signed_efi", "unsigned_name")
load(":pack.bzl", "run_packer")
load(":paths.bzl", "label_text")
load(":platform_transition.bzl", "PLATFORM_ATTRS", "platform_transition")
load(":providers.bzl", "InitramfsInfo", "KernelInfo", "PayloadInfo")
load(":signing.bzl", "local_requirements")
load(":toolchains.bzl", "PACKER_TOOLCHAIN_TYPE")

# Sections that are a file each, by the attribute and the option that name it.
_FILES = {
    "device_tree": "--device-tree",
    "os_release": "--os-release",
    "pcr_public_key": "--pcr-public-key",
    "sbat": "--sbat",
    "splash": "--splash",
    "stub": "--stub",
}

# Sections that may be there several times.
_LISTS = {
    "device_trees_auto": "--device-tree-auto",
    "hwids": "--hwids",
}

UkiProfileInfo = provider(
    doc = "A variant of a unified kernel image.",
    fields = {
        "description": "File: what a boot menu shows, lines ID=... and TITLE=....",
        "initramfs": "InitramfsInfo or None: the initramfs of this profile.",
        "kernel_cmdline": "list of string: the kernel's command line of this profile, or an empty list.",
    },
)

# What the shell replaces in a value of os-release, whose format profiles have.
_QUOTED = ["\\", "\"", "$", "`"]

def _uki_profile_impl(ctx):
    origin = label_text(ctx.label)
    name = ctx.attr.profile_id or ctx.label.name
    if not name or [c for c in name.elems() if not c.isalnum() and c not in "-_"]:
        fail("%s: profile_id: %r: want letters, digits, - and _" % (origin, name))
    title = ctx.attr.title
    for char in _QUOTED:
        title = title.replace(char, "\\" + char)
    description = ctx.actions.declare_file(ctx.label.name + ".profile")
    ctx.actions.write(description, "ID=%s\n%s" % (name, "TITLE=\"%s\"\n" % title if title else ""))
    return [
        DefaultInfo(files = depset([description])),
        UkiProfileInfo(
            description = description,
            initramfs = ctx.attr.initramfs[InitramfsInfo] if ctx.attr.initramfs else None,
            kernel_cmdline = ctx.attr.kernel_cmdline,
        ),
    ]

uki_profile = rule(
    implementation = _uki_profile_impl,
    attrs = {
        "initramfs": attr.label(
            doc = "The initramfs of this profile. By default that of the `uki`.",
            providers = [InitramfsInfo],
        ),
        "kernel_cmdline": attr.string_list(
            doc = "The kernel's command line of this profile, one argument each. By default that of the `uki`.",
        ),
        "profile_id": attr.string(
            doc = "The name of the profile for programs. By default the target's name.",
        ),
        "title": attr.string(
            doc = """What a boot menu shows: `"Factory reset"`.""",
        ),
    },
    doc = """A profile of a `uki`: a variant of it that a boot menu offers, in the same file and under the same signature.

Example:

    uki_profile(
        name = "reset",
        kernel_cmdline = ["console=ttyS0", "factory-reset"],
        title = "Factory reset",
    )
""",
)

# Policies are signed by a machine that has the key.
_POLICY_BY = ["pcr_signing_key", "pcr_signer"]

def _make(ctx, out, policies = None):
    """Makes the executable, with signed policies or before there are any."""
    kernel = ctx.attr.kernel[KernelInfo]
    inputs = [kernel.image]
    args = ctx.actions.args()
    args.add("--origin", label_text(ctx.label))
    args.add("--arch", kernel.arch)
    args.add("--out", out)
    args.add("--kernel", kernel.image)
    for attribute, option in _FILES.items():
        file = getattr(ctx.file, attribute)
        if file:
            args.add(option, file)
            inputs.append(file)
    for attribute, option in _LISTS.items():
        args.add_all(getattr(ctx.files, attribute), before_each = option)
        inputs += getattr(ctx.files, attribute)
    parts = ctx.attr.initramfs[InitramfsInfo].parts if ctx.attr.initramfs else []
    args.add_all(parts, before_each = "--initramfs")
    if ctx.attr.microcode:
        microcode = ctx.attr.microcode[InitramfsInfo].archive
        args.add("--microcode", microcode)
        inputs.append(microcode)
    if ctx.attr.kernel_cmdline:
        args.add("--cmdline", " ".join(ctx.attr.kernel_cmdline))
    uname = ctx.attr.uname or kernel.release
    if uname:
        args.add("--uname", uname)
    if policies:
        args.add("--pcr-signature", policies)
        inputs.append(policies)
    for target in ctx.attr.profiles:
        profile = target[UkiProfileInfo]
        args.add("--profile", profile.description)
        inputs.append(profile.description)
        if profile.kernel_cmdline:
            args.add("--cmdline", " ".join(profile.kernel_cmdline))
        if profile.initramfs:
            args.add_all(profile.initramfs.parts, before_each = "--initramfs")
            inputs += profile.initramfs.parts
    run_packer(ctx, "EfiUki", "Making EFI executable", "uki", [out], inputs + parts, [args])

def _policies(ctx, executable):
    """Signs the policies of what an executable has in PCR 11."""
    signer = ctx.attr.pcr_signer[DefaultInfo].files_to_run if ctx.attr.pcr_signer else None
    policies = ctx.actions.declare_file(ctx.label.name + ".pcrsig.json")
    args = ctx.actions.args()
    args.add("--origin", label_text(ctx.label))
    args.add("--public-key", ctx.file.pcr_public_key)
    args.add_all(ctx.attr.pcr_phases, before_each = "--phase")
    inputs = [executable, ctx.file.pcr_public_key]
    if signer:
        args.add("--signer", signer.executable)
        args.add_all(ctx.attr.pcr_signer_args, format_each = "--signer-arg=%s")
    else:
        args.add("--key", ctx.file.pcr_signing_key)
        inputs.append(ctx.file.pcr_signing_key)
    args.add("--out", policies)
    args.add(executable)
    run_packer(
        ctx,
        "EfiPcrSign",
        "Signing policies of EFI executable",
        "pcr-sign",
        [policies],
        inputs,
        [args],
        requirements = local_requirements(signer),
        tools = [signer] if signer else [],
    )
    return policies

def _check_policies(ctx, origin):
    """Checks the attributes of signed policies, and returns the name of the one that signs, or None."""
    by = [name for name in _POLICY_BY if getattr(ctx.attr, name)]
    if len(by) > 1:
        fail("%s: pcr_signing_key: pcr_signer signs already: set one of them" % origin)
    if by and not ctx.file.pcr_public_key:
        fail("%s: %s: set pcr_public_key, which the system verifies the policies with" % (origin, by[0]))
    if by and ctx.attr.profiles:
        fail("%s: %s: each profile has policies of its own: make them with packer pcr-sign --profile" % (origin, by[0]))
    if not by and ctx.attr.pcr_phases:
        fail("%s: pcr_phases: nothing signs policies: set pcr_signing_key or pcr_signer, or leave it out" % origin)
    if ctx.attr.pcr_signer_args and not ctx.attr.pcr_signer:
        fail("%s: pcr_signer_args need a pcr_signer" % origin)
    return by[0] if by else None

def _uki_impl(ctx):
    unsigned = ctx.actions.declare_file(unsigned_name(ctx))
    if _check_policies(ctx, label_text(ctx.label)):
        # PCR 11 does not have the signatures of its policies, so they are made of the executable without them.
        bare = ctx.actions.declare_file(ctx.label.name + ".without_policies.efi")
        _make(ctx, bare)
        _make(ctx, unsigned, _policies(ctx, bare))
    else:
        _make(ctx, unsigned)

    # Measurements are explained with what the first profile has.
    first = ctx.attr.profiles[0][UkiProfileInfo].initramfs if ctx.attr.profiles else None
    initramfs = first or (ctx.attr.initramfs[InitramfsInfo] if ctx.attr.initramfs else None)
    contents = [initramfs.json] if initramfs else []
    return payload_providers(
        ctx.attr.kernel[KernelInfo].arch,
        "efi",
        signed_efi(ctx, unsigned),
        contents,
        {"unsigned": depset([unsigned])},
        device_trees = bool(ctx.file.device_tree or ctx.files.device_trees_auto),
    )

uki = rule(
    implementation = _uki_impl,
    attrs = EFI_SIGNING_ATTRS | PLATFORM_ATTRS | {
        "device_tree": attr.label(
            allow_single_file = [".dtb"],
            doc = "The device tree that replaces the firmware's, such as a `device_tree` (.dtb).",
        ),
        "device_trees_auto": attr.label_list(
            allow_files = [".dtb"],
            doc = """Device trees. The stub takes the one whose first `compatible` is that of the firmware's device tree
(.dtbauto). The stub must be of systemd 257 or newer.""",
        ),
        "hwids": attr.label_list(
            allow_files = [".json"],
            doc = """Descriptions of machines by their hardware IDs, as ukify reads them, for firmware without a device tree: they say
which of `device_trees_auto` is for the machine (.hwids).""",
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
        "pcr_phases": attr.string_list(
            doc = """The phases of the boot in which the signed policies are valid, as for `measurements`:
`["enter-initrd"]`. By default all of them.""",
        ),
        "pcr_public_key": attr.label(
            allow_single_file = True,
            doc = """The public key, in PEM, by which the system verifies signed policies of the TPM (.pcrpkey): systemd-cryptenroll
binds secrets to it.""",
        ),
        "pcr_signer": attr.label(
            cfg = "exec",
            doc = "A program that signs the policies, in place of `pcr_signing_key`. It runs as `signer` does.",
            executable = True,
        ),
        "pcr_signer_args": attr.string_list(
            doc = "Arguments of `pcr_signer`.",
        ),
        "pcr_signing_key": attr.label(
            allow_single_file = True,
            doc = """The private RSA key of `pcr_public_key`, which signs policies for what PCR 11 will hold (.pcrsig), as
systemd-measure does. It is an input of one action, which runs on this machine only.""",
        ),
        "profiles": attr.label_list(
            doc = """Variants that a boot menu offers, `uki_profile` targets. The first is what starts if nobody chooses.""",
            providers = [UkiProfileInfo],
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
