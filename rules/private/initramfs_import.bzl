"""initramfs_import: images that were built elsewhere."""

load(":pack.bzl", "declare_views", "view_action")
load(":providers.bzl", "InitramfsInfo")
load(":tables.bzl", "CODECS", "IMAGE_VIEWS")
load(":toolchains.bzl", "PACKER_TOOLCHAIN_TYPE")

def _codec_of(file):
    """The codec that goes with the extension of a file."""
    for codec, row in CODECS.items():
        if row.extension and file.basename.endswith(row.extension):
            return codec
    return "none"

def _initramfs_import_impl(ctx):
    archive = ctx.file.src
    views = declare_views(ctx, [view for view, row in IMAGE_VIEWS.items() if row.command])
    for view, file in views.items():
        view_action(ctx, archive, view, file)
    return [
        DefaultInfo(files = depset([archive])),
        InitramfsInfo(
            archive = archive,
            compression = ctx.attr.compression or _codec_of(archive),
            list = None,
            parts = [archive],
            **({view: None for view in IMAGE_VIEWS} | views)
        ),
    ]

initramfs_import = rule(
    implementation = _initramfs_import_impl,
    attrs = {
        "compression": attr.string(
            doc = "The codec. By default it follows from the extension of the file, such as .gz or .zst.",
            values = [""] + CODECS.keys(),
        ),
        "src": attr.label(
            allow_single_file = True,
            doc = "The image.",
            mandatory = True,
        ),
    },
    doc = """An image that was built elsewhere, to boot, link, test or compare.

Example:

    initramfs_import(
        name = "installer",
        src = "@vendor//:initrd.img",
        compression = "zstd",
    )

To add its content to another image, name the file in `archives` of that image.
""",
    provides = [InitramfsInfo],
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)
