"""Signatures of kernel modules."""

load(":pack.bzl", "run_packer")
load(":paths.bzl", "label_text")

SIGNING_ATTRS = {
    "certificate": attr.label(
        allow_single_file = True,
        doc = """The certificate of the key that the modules are signed with, in PEM or DER. By default, the
`module_certificate` of the kernel.""",
    ),
    "signer": attr.label(
        cfg = "exec",
        doc = """A program that signs, for keys that are not in files: those of a token (PKCS#11), or of a cloud. It runs as
`SIGNER [signer_args] --hash HASH --certificate FILE` for each module, gets the digest of the module on its standard input, and writes the
signature to its standard output, both as bytes. It runs on this machine, with Bazel's environment of actions, and may use the
network.""",
        executable = True,
    ),
    "signer_args": attr.string_list(
        doc = """Arguments of `signer`, such as `["pkcs11:token=modules;object=key"]`.""",
    ),
    "signing_key": attr.label(
        allow_single_file = True,
        doc = """The private key that the modules are signed with, in PEM without a password. It is an input of one action, which
runs on this machine only, so that no remote machine gets the key. A file in the repository is for tests: everybody who can read the
repository can sign with it.""",
    ),
}

# A key, and what a program needs to reach one, are on this machine. What is signed may be cached.
_LOCAL = {"no-remote-exec": "1"}

def module_signing(ctx, origin, kernel):
    """Checks the attributes that say how modules are signed.

    Args:
        ctx: the context of a rule with SIGNING_ATTRS and an attribute kernel.
        origin: its label as text.
        kernel: the KernelInfo.

    Returns:
        The File of the certificate, or None if the modules are not signed.
    """
    by = [name for name in ["signing_key", "signer"] if getattr(ctx.attr, name)]
    if len(by) > 1:
        fail("%s: signing_key: signer signs already: set one of them" % origin)
    if ctx.attr.signer_args and not ctx.attr.signer:
        fail("%s: signer_args need a signer" % origin)
    if not by:
        if ctx.attr.certificate:
            fail("%s: certificate: nothing signs: set signing_key or signer, or leave it out" % origin)
        return None
    certificate = ctx.file.certificate or kernel.module_certificate
    if not certificate:
        fail("%s: %s: no certificate: set certificate, or module_certificate of %s" % (
            origin,
            by[0],
            label_text(ctx.attr.kernel.label),
        ))
    if not kernel.config:
        fail("%s: %s: %s has no .config, which says how it verifies modules: name it in its attribute config" % (
            origin,
            by[0],
            label_text(ctx.attr.kernel.label),
        ))
    return certificate

def sign_action(ctx, origin, kernel, certificate, prepared, archive, tree):
    """Signs modules.

    Args:
        ctx: the context of a rule with SIGNING_ATTRS and the packer's toolchain.
        origin: its label as text.
        kernel: the KernelInfo.
        certificate: the File that module_signing returned.
        prepared: the archive that packer modules --for-signing wrote.
        archive: the File that gets the archive with signed modules.
        tree: the directory that gets the same.
    """
    signer = ctx.attr.signer[DefaultInfo].files_to_run if ctx.attr.signer else None
    args = ctx.actions.args()
    args.add("--origin", origin)
    args.add("--config", kernel.config)
    args.add("--certificate", certificate)
    if signer:
        args.add("--signer", signer.executable)
        args.add_all(ctx.attr.signer_args, format_each = "--signer-arg=%s")
    else:
        args.add("--key", ctx.file.signing_key)
    args.add("--out", archive)
    args.add_all("--output", [tree], expand_directories = False)
    args.add(prepared)
    run_packer(
        ctx,
        "KernelModulesSign",
        "Signing modules",
        "sign-modules",
        [archive, tree],
        [prepared, kernel.config, certificate] + ([] if signer else [ctx.file.signing_key]),
        [args],
        requirements = _LOCAL | ({"requires-network": "1"} if signer else {}),
        tools = [signer] if signer else [],
    )
