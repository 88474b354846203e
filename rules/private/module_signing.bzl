"""Signed kernel modules."""

load(":pack.bzl", "run_packer")
load(":paths.bzl", "label_text")
load(":signing.bzl", "signing_attrs", "signing_by", "signing_options")

SIGNING_ATTRS = signing_attrs("the modules", " By default, the `module_certificate` of the kernel.")

def module_signing(ctx, origin, kernel):
    """Checks the attributes that say how modules are signed.

    Args:
        ctx: the context of a rule with SIGNING_ATTRS and an attribute kernel.
        origin: its label as text.
        kernel: the KernelInfo.

    Returns:
        The File of the certificate, or None if the modules are not signed.
    """
    by = signing_by(ctx, origin)
    if not by:
        return None
    certificate = ctx.file.certificate or kernel.module_certificate
    if not certificate:
        fail("%s: %s: no certificate: set certificate, or module_certificate of %s" % (
            origin,
            by,
            label_text(ctx.attr.kernel.label),
        ))
    if not kernel.config:
        fail("%s: %s: %s has no .config, which says how it verifies modules: name it in its attribute config" % (
            origin,
            by,
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
    signing = signing_options(ctx, certificate)
    args = ctx.actions.args()
    args.add("--origin", origin)
    args.add("--config", kernel.config)
    args.add("--out", archive)
    args.add_all("--output", [tree], expand_directories = False)
    args.add(prepared)
    run_packer(
        ctx,
        "KernelModulesSign",
        "Signing modules",
        "sign-modules",
        [archive, tree],
        [prepared, kernel.config] + signing.inputs,
        [signing.args, args],
        requirements = signing.requirements,
        tools = signing.tools,
    )
