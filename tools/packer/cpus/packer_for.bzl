"""The packer, built for another CPU than that of the test."""

# buildifier: disable=bzl-visibility
load("//rules/private:platform_transition.bzl", "PLATFORM_ATTRS", "platform_transition")

def _packer_for_impl(ctx):
    packer = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(output = packer, target_file = ctx.executable._packer, is_executable = True)
    return [DefaultInfo(executable = packer)]

packer_for = rule(
    implementation = _packer_for_impl,
    attrs = PLATFORM_ATTRS | {
        "_packer": attr.label(
            cfg = "target",
            default = "//tools/packer",
            executable = True,
        ),
    },
    cfg = platform_transition,
    doc = "The packer for a platform.",
    executable = True,
)
