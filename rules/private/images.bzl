"""Images besides initramfs: imported ones, early ones, and how two differ."""

load(":codecs.bzl", "CODECS")
load(":entries.bzl", "file_entry")
load(":pack.bzl", "diff_action", "listing_action", "pack_action")
load(":paths.bzl", "check_parts", "label_text")
load(":providers.bzl", "InitramfsInfo", "InitramfsLayerInfo")
load(":toolchains.bzl", "PACKER_TOOLCHAIN_TYPE")

def _codec_of(file):
    """The codec that a file's name tells."""
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
            list = None,
            listing = listings.listing,
            segments = [archive],
        ),
    ]

initramfs_import = rule(
    implementation = _initramfs_import_impl,
    attrs = {
        "compression": attr.string(
            doc = "The codec. By default what the file's name ends in says: .gz, .zst, .xz, .lzma, .lz4, .lzo, .bz2.",
            values = [""] + CODECS.keys(),
        ),
        "src": attr.label(
            allow_single_file = True,
            doc = "The image.",
            mandatory = True,
        ),
    },
    doc = """An image that was made elsewhere, to be booted, linked, tested and compared.

Example:

    initramfs_import(
        name = "installer",
        src = "@vendor//:initrd.img",
        compression = "zstd",
    )

To put what is in it into another image, name the file in `archives` of that one.
""",
    provides = [InitramfsInfo],
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)

def _early_cpio_impl(ctx):
    origin = label_text(ctx.label)
    entries = []
    for name, target in ctx.attr.files.items():
        if name.startswith("/"):
            fail("%s: files: %r: the kernel looks for names without a slash in front: write %r" % (origin, name, name.lstrip("/")))
        check_parts(origin, "files", "/" + name)
        files = target[DefaultInfo].files.to_list()
        if len(files) != 1 or files[0].is_directory:
            fail("%s: files: %s: %s is not one file" % (origin, name, label_text(target.label)))
        entries.append(file_entry(origin, "/" + name, files[0], executable = False))
    if not entries:
        fail("%s: files: give it a file, such as kernel/x86/microcode/GenuineIntel.bin" % origin)
    archive = ctx.actions.declare_file(ctx.label.name + ".cpio")
    completed = ctx.actions.declare_file(ctx.label.name + ".list")
    listings = struct(
        listing = ctx.actions.declare_file(ctx.label.name + ".listing"),
        json = ctx.actions.declare_file(ctx.label.name + ".json"),
    )
    pack_action(
        ctx,
        InitramfsLayerInfo(
            archives = depset(),
            entries = depset(entries),
            files = depset(ctx.files.files),
        ),
        archive,
        completed,
        struct(codec = "none", level = 0, compressor = None, compressor_args = []),
        [],
        listings = listings,
        progress = "Packing early archive",
    )
    return [
        DefaultInfo(files = depset([archive])),
        InitramfsInfo(
            archive = archive,
            compression = "none",
            json = listings.json,
            list = completed,
            listing = listings.listing,
            segments = [archive],
        ),
        OutputGroupInfo(list = depset([completed])),
    ]

early_cpio = rule(
    implementation = _early_cpio_impl,
    attrs = {
        "files": attr.string_keyed_label_dict(
            allow_files = True,
            doc = """The files, by the names that the kernel looks for, without a slash in front:
`kernel/x86/microcode/GenuineIntel.bin`, `kernel/firmware/acpi/dsdt.aml`.""",
        ),
    },
    doc = """An early archive, for `prepend`: what a kernel reads before it unpacks anything.

Example:

    early_cpio(
        name = "microcode",
        files = {"kernel/x86/microcode/AuthenticAMD.bin": "@microcode//:amd"},
    )

It is not compressed, for the kernel searches it where it lies.
""",
    provides = [InitramfsInfo],
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)

def _initramfs_diff_impl(ctx):
    out = ctx.actions.declare_file(ctx.label.name + ".diff")
    diff_action(ctx, ctx.attr.old[InitramfsInfo].archive, ctx.attr.new[InitramfsInfo].archive, out)
    return [DefaultInfo(files = depset([out]))]

initramfs_diff = rule(
    implementation = _initramfs_diff_impl,
    attrs = {
        "new": attr.label(
            doc = "The image to compare.",
            mandatory = True,
            providers = [InitramfsInfo],
        ),
        "old": attr.label(
            doc = "The image to compare it with.",
            mandatory = True,
            providers = [InitramfsInfo],
        ),
    },
    doc = """What differs between two images, as a text: entries added, gone, and changed in content, mode or
owner, and the sizes.

Example:

    initramfs_diff(
        name = "changes",
        new = ":image",
        old = "@last_release//:image",
    )
""",
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)
