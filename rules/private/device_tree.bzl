"""Device trees, compiled as the kernel compiles its own."""

load(":kbuild.bzl", "KBUILD_ATTRS", "kbuild_action", "source_resources")
load(":paths.bzl", "label_text")
load(":platform_transition.bzl", "PLATFORM_ATTRS", "platform_transition")
load(":providers.bzl", "KernelInfo")
load(":toolchains.bzl", "KERNEL_TOOLCHAIN_TYPE")

_EXTENSIONS = {
    ".dts": ".dtb",
    ".dtso": ".dtbo",
}

def _compile_resources(_os, _inputs):
    return {
        "cpu": 1,
        "memory": 128,
    }

def device_tree_sources_action(ctx, arch, source, patches):
    """Saves what compiles device trees, once for a kernel.

    Args:
        ctx: the context of a rule with KBUILD_ATTRS and the kernel toolchain.
        arch: the kernel's architecture, a key of ARCHS.
        source: File: the kernel's source.
        patches: list of File: what to apply to it.

    Returns:
        A File: dtc, and the sources and headers that device trees include.
    """
    sources = ctx.actions.declare_file(ctx.label.name + ".device_tree_sources.tar.zst")
    args = ctx.actions.args()
    args.add("--source", source)
    args.add_all(patches, before_each = "--patch")
    args.add("--write-sources", sources)
    kbuild_action(
        ctx,
        "KernelDeviceTreeSources",
        "Reading device trees of kernel",
        "device-tree",
        arch,
        args,
        inputs = [source] + patches,
        outputs = [sources],
        resource_set = source_resources,
    )
    return sources

def _device_tree_impl(ctx):
    kernel = ctx.attr.kernel[KernelInfo]
    if not kernel.device_tree_sources:
        fail("%s: kernel: %s cannot compile device trees: use a kernel_build" % (
            label_text(ctx.label),
            label_text(ctx.attr.kernel.label),
        ))
    out = ctx.actions.declare_file(ctx.label.name + _EXTENSIONS["." + ctx.file.src.extension])
    args = ctx.actions.args()
    args.add("--sources", kernel.device_tree_sources)
    args.add("--dts", ctx.file.src)
    args.add_all(ctx.files.includes, before_each = "--include", map_each = _dirname, uniquify = True)
    if ctx.attr.symbols:
        args.add("--symbols")
    args.add("--out", out)
    kbuild_action(
        ctx,
        "KernelDeviceTree",
        "Compiling device tree",
        "device-tree",
        kernel.arch,
        args,
        inputs = [kernel.device_tree_sources, ctx.file.src] + ctx.files.includes,
        outputs = [out],
        resource_set = _compile_resources,
    )
    return [DefaultInfo(files = depset([out]))]

def _dirname(file):
    return file.dirname

device_tree = rule(
    implementation = _device_tree_impl,
    attrs = KBUILD_ATTRS | PLATFORM_ATTRS | {
        "includes": attr.label_list(
            allow_files = True,
            doc = """Files that `src` includes, other than the kernel's. They are found by their base names, and next to
`src` by their paths from there.""",
        ),
        "kernel": attr.label(
            doc = "The kernel: a `kernel_build`. Its source has the compiler, and what device trees include.",
            mandatory = True,
            providers = [KernelInfo],
        ),
        "src": attr.label(
            allow_single_file = _EXTENSIONS.keys(),
            doc = "The device tree (.dts), or an overlay (.dtso).",
            mandatory = True,
        ),
        "symbols": attr.bool(
            doc = """Whether to keep the labels of nodes, which overlays refer to. Kbuild does this for device trees that it
applies overlays to (dtc's -@).""",
        ),
    },
    cfg = platform_transition,
    doc = """A device tree, compiled by the kernel's own dtc.

Example:

    device_tree(
        name = "board",
        src = "board.dts",
        kernel = ":kernel",
    )

    kernel_modules(
        name = "modules",
        devices = [":board"],
        kernel = ":kernel",
    )

The source may include what the kernel's own device trees include, from `<dt-bindings/...>` and from the directories
of all architectures: `#include <arm64/broadcom/bcm2711-rpi-4-b.dts>`. The result is the same as that of `make dtbs`.

The output is NAME.dtb, or NAME.dtbo for an overlay.
""",
    toolchains = [KERNEL_TOOLCHAIN_TYPE],
)
