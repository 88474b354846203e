"""initramfs_import: images that were built elsewhere."""

load(":pack.bzl", "listing_action")
load(":providers.bzl", "InitramfsInfo")
load(":tables.bzl", "CODECS")
load(":toolchains.bzl", "PACKER_TOOLCHAIN_TYPE")

def _codec_of(file):
    """The codec that goes with the extension of a file."""
    for codec, row in CODECS.items():
        if row.extension and file.basename.endswith(row.extension):
            return codec
    return "none"

def _initramfs_import_impl(ctx):
    archive = ctx.file.src
    listings = struct(
        listing = ctx.actions.declare_file(ctx.label.name + ".listing"),
        json = ctx.actions.declare_file(ctx.label.name + ".json"),
    )
    listing_action(ctx, archive, listings.listing)
    listing_action(ctx, archive, listings.json, ["--json"])
    return [
        DefaultInfo(files = depset([archive])),
        InitramfsInfo(
            archive = archive,
            compression = ctx.attr.compression or _codec_of(archive),
            json = listings.json,
            libraries = None,
            list = None,
            listing = listings.listing,
            parts = [archive],
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
