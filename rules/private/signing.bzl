"""Keys: what signs the outputs of an action."""

def signing_attrs(what, certificate_default = ""):
    """Declares the attributes that say what signs.

    Args:
        what: what is signed, such as "the modules".
        certificate_default: a sentence about a certificate that is not given, after a space, or "".

    Returns:
        A dict of attributes.
    """
    return {
        "certificate": attr.label(
            allow_single_file = True,
            doc = "The certificate of the key that signs %s, in PEM or DER.%s" % (what, certificate_default),
        ),
        "signer": attr.label(
            cfg = "exec",
            doc = """A program that signs, for keys that are not in files: those of a token (PKCS#11), or of a cloud. It runs as
`SIGNER [signer_args] --hash HASH --certificate FILE` for each signature, gets the digest on its standard input, and writes the
signature to its standard output, both as bytes. It runs on this machine, with Bazel's environment of actions, and may use the
network.""",
            executable = True,
        ),
        "signer_args": attr.string_list(
            doc = """Arguments of `signer`, such as `["pkcs11:token=firmware;object=key"]`.""",
        ),
        "signing_key": attr.label(
            allow_single_file = True,
            doc = """The private key that signs %s, in PEM without a password. It is an input of one action, which runs on this
machine only, so that no remote machine gets the key. A file in the repository is for tests: everybody who can read the
repository can sign with it.""" % what,
        ),
    }

def signing_by(ctx, origin):
    """Checks the attributes of signing_attrs.

    Args:
        ctx: the context of a rule that has them.
        origin: its label as text.

    Returns:
        The name of the attribute that says what signs, or None.
    """
    by = [name for name in ["signing_key", "signer"] if getattr(ctx.attr, name)]
    if len(by) > 1:
        fail("%s: signing_key: signer signs already: set one of them" % origin)
    if ctx.attr.signer_args and not ctx.attr.signer:
        fail("%s: signer_args need a signer" % origin)
    if not by and ctx.attr.certificate:
        fail("%s: certificate: nothing signs: set signing_key or signer, or leave it out" % origin)
    return by[0] if by else None

def signing_options(ctx, certificate):
    """What an action needs to sign.

    Args:
        ctx: the context of a rule with signing_attrs.
        certificate: the File of the certificate.

    Returns:
        A struct: args, an Args of options of the packer; inputs, a list of File; tools, as for run_packer; requirements, a
        dict of execution requirements.
    """
    signer = ctx.attr.signer[DefaultInfo].files_to_run if ctx.attr.signer else None
    args = ctx.actions.args()
    args.add("--certificate", certificate)
    if signer:
        args.add("--signer", signer.executable)
        args.add_all(ctx.attr.signer_args, format_each = "--signer-arg=%s")
    else:
        args.add("--key", ctx.file.signing_key)
    return struct(
        args = args,
        inputs = [certificate] + ([] if signer else [ctx.file.signing_key]),
        requirements = local_requirements(signer),
        tools = [signer] if signer else [],
    )

def local_requirements(signer):
    """What an action needs that signs: a key, and what a program needs to reach one, are on this machine.

    Args:
        signer: the FilesToRunProvider of a program that signs, or None.

    Returns:
        A dict of execution requirements. What is signed may be cached.
    """
    return {"no-remote-exec": "1"} | ({"requires-network": "1"} if signer else {})
