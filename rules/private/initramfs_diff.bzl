"""initramfs_diff: the differences between two images."""

load(":pack.bzl", "diff_action")
load(":providers.bzl", "InitramfsInfo")
load(":toolchains.bzl", "PACKER_TOOLCHAIN_TYPE")

def _initramfs_diff_impl(ctx):
    out = ctx.actions.declare_file(ctx.label.name + ".diff")
    diff_action(
        ctx,
        ctx.attr.old[InitramfsInfo].archive,
        ctx.attr.new[InitramfsInfo].archive,
        out,
        options = ["--ignore-times"] if ctx.attr.ignore_times else [],
    )
    return [DefaultInfo(files = depset([out]))]

initramfs_diff = rule(
    implementation = _initramfs_diff_impl,
    attrs = {
        "ignore_times": attr.bool(
            doc = "Leave out times, which differ in every file if an image is from another tool, such as dracut.",
        ),
        "new": attr.label(
            doc = "The new image.",
            mandatory = True,
            providers = [InitramfsInfo],
        ),
        "old": attr.label(
            doc = "The old image.",
            mandatory = True,
            providers = [InitramfsInfo],
        ),
    },
    doc = """The differences between two images, as text: entries that were added, removed, or changed in content, mode,
owner or time, and the sizes.

Example:

    initramfs_diff(
        name = "changes",
        new = ":image",
        old = "@last_release//:image",
    )
""",
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)
