"""The architecture that a target is built for."""

load(":tables.bzl", _ARCHS = "ARCHS")

ARCHS = _ARCHS

# For rules that call target_arch or maybe_target_arch.
ARCH_ATTRS = {
    "_archs": attr.label_keyed_string_dict(
        default = {row.cpu: arch for arch, row in ARCHS.items()},
        providers = [platform_common.ConstraintValueInfo],
    ),
}

def maybe_target_arch(ctx):
    """The architecture that a target with ARCH_ATTRS is built for.

    Args:
        ctx: the rule's context.

    Returns:
        A key of ARCHS, or None if it is another one.
    """
    for constraint, arch in ctx.attr._archs.items():
        if ctx.target_platform_has_constraint(constraint[platform_common.ConstraintValueInfo]):
            return arch
    return None

def target_arch(ctx):
    """The architecture that a target with ARCH_ATTRS is built for. Fails if it is not a key of ARCHS.

    Args:
        ctx: the rule's context.

    Returns:
        A key of ARCHS.
    """
    arch = maybe_target_arch(ctx)
    if not arch:
        fail("%s: the target platform is not one of %s: choose one with --platforms or the attribute platform" % (
            ctx.label,
            ", ".join(ARCHS.keys()),
        ))
    return arch
