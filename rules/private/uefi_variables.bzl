"""Variables of UEFI firmware: the keys of Secure Boot."""

load(":archs.bzl", "ARCH_ATTRS", "target_arch")
load(":pack.bzl", "run_packer")
load(":paths.bzl", "label_text")
load(":platform_transition.bzl", "PLATFORM_ATTRS", "platform_transition")
load(":providers.bzl", "UefiVariablesInfo")
load(":toolchains.bzl", "PACKER_TOOLCHAIN_TYPE", "UEFI_TOOLCHAIN_TYPE")

# The options for the attributes.
_KEYS = {
    "forbidden": "--dbx",
    "key_exchange_keys": "--kek",
    "platform_key": "--pk",
    "signers": "--db",
}

def _uefi_variables_impl(ctx):
    if not ctx.files.signers:
        fail("%s: signers: with Secure Boot and no signers, the firmware starts nothing: name a certificate" % label_text(ctx.label))
    store = ctx.file.store or ctx.toolchains[UEFI_TOOLCHAIN_TYPE].variables
    out = ctx.actions.declare_file(ctx.label.name + ".fd")
    args = ctx.actions.args()
    args.add("--store", store)
    inputs = [store]
    for attribute, option in _KEYS.items():
        files = getattr(ctx.files, attribute)
        if attribute == "key_exchange_keys":
            files = files or ctx.files.platform_key
        args.add_all(files, before_each = option)
        inputs += files
    args.add("--out", out)
    run_packer(ctx, "EfiVariables", "Enrolling keys", "efi-variables", [out], inputs, [args])
    return [
        DefaultInfo(files = depset([out])),
        UefiVariablesInfo(arch = target_arch(ctx), store = out),
    ]

uefi_variables = rule(
    implementation = _uefi_variables_impl,
    attrs = ARCH_ATTRS | PLATFORM_ATTRS | {
        "forbidden": attr.label_list(
            allow_files = True,
            doc = "Certificates whose signatures the firmware refuses (dbx), in PEM or DER.",
        ),
        "key_exchange_keys": attr.label_list(
            allow_files = True,
            doc = """The certificates of those who may change `signers` and `forbidden` (KEK). By default the platform key's.""",
        ),
        "platform_key": attr.label(
            allow_single_file = True,
            doc = "The certificate of the owner of the machine (PK), which turns Secure Boot on.",
            mandatory = True,
        ),
        "signers": attr.label_list(
            allow_files = True,
            doc = "The certificates whose signatures the firmware accepts (db), in PEM or DER.",
            mandatory = True,
        ),
        "store": attr.label(
            allow_single_file = True,
            doc = """A flash image with the firmware's variables, without keys. By default the one of the UEFI toolchain.""",
        ),
    },
    cfg = platform_transition,
    doc = """The variables of a UEFI firmware with keys for Secure Boot, enrolled when they are built: a flash image for
`secure_boot` of `boot_test`.

Example:

    uefi_variables(
        name = "enrolled_keys",
        platform_key = "platform.pem",
        signers = ["secure_boot.pem"],
    )

The output is NAME.fd. The target is skipped if there is no UEFI firmware for the platform's architecture.
""",
    provides = [UefiVariablesInfo],
    toolchains = [
        PACKER_TOOLCHAIN_TYPE,
        UEFI_TOOLCHAIN_TYPE,
    ],
)
