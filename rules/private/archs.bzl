"""The architectures of guests: all that the rules know of them, a row each."""

ARCHS = {
    "arm64": struct(
        cpu = "@platforms//cpu:aarch64",
        cross_compile = "aarch64-linux-gnu-",
        image = "Image",
        qemu = "qemu-system-aarch64",
    ),
    "riscv64": struct(
        cpu = "@platforms//cpu:riscv64",
        cross_compile = "riscv64-linux-gnu-",
        image = "Image",
        qemu = "qemu-system-riscv64",
    ),
    "x86_64": struct(
        cpu = "@platforms//cpu:x86_64",
        cross_compile = "x86_64-linux-gnu-",
        image = "bzImage",
        qemu = "qemu-system-x86_64",
    ),
}

# For rules that ask target_arch.
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
        A key of ARCHS, or None where it is none of them.
    """
    for constraint, arch in ctx.attr._archs.items():
        if ctx.target_platform_has_constraint(constraint[platform_common.ConstraintValueInfo]):
            return arch
    return None

def target_arch(ctx):
    """The architecture that a target with ARCH_ATTRS is built for, which must be one of them.

    Args:
        ctx: the rule's context.

    Returns:
        A key of ARCHS.
    """
    arch = maybe_target_arch(ctx)
    if not arch:
        fail("%s: the target platform is none of %s: build for another, with --platforms or the attribute platform" % (
            ctx.label,
            ", ".join(ARCHS.keys()),
        ))
    return arch
