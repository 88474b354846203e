"""initramfs_import, early_cpio and initramfs_diff: images that are not packed from layers, and how two images differ."""

load(":codecs.bzl", "CODECS")
load(":entries.bzl", "file_entry")
load(":layer_info.bzl", "initramfs_layer_info")
load(":pack.bzl", "diff_action", "pack_action")
load(":paths.bzl", "label_text")
load(":providers.bzl", "InitramfsInfo")
load(":single_file.bzl", "single_file")
load(":toolchains.bzl", "PACKER_TOOLCHAIN_TYPE")

def _codec_of(file):
    """The codec that goes with the extension of a file."""
    for codec, row in CODECS.items():
        if row.extension and file.basename.endswith(row.extension):
            return codec
    return "none"

def _initramfs_import_impl(ctx):
    archive = ctx.file.src
    return [
        DefaultInfo(files = depset([archive])),
        InitramfsInfo(
            archive = archive,
            compression = ctx.attr.compression or _codec_of(archive),
            list = None,
            parts = [archive],
        ),
    ]

initramfs_import = rule(
    implementation = _initramfs_import_impl,
    attrs = {
        "compression": attr.string(
            doc = "The codec. By default it follows from the extension: .gz, .zst, .xz, .lzma, .lz4, .lzo, .bz2, or none.",
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
)

def _early_cpio_impl(ctx):
    origin = label_text(ctx.label)
    entries = []
    for name, target in ctx.attr.files.items():
        if name.startswith("/"):
            fail("%s: files: %r: the kernel looks for names that do not begin with a slash: write %r" % (origin, name, name.lstrip("/")))
        where = "%s: files: %s" % (origin, name)
        entries.append(file_entry(origin, "/" + name, single_file(where, target), attribute = "files"))
    if not entries:
        fail("%s: files: name a file, such as kernel/x86/microcode/GenuineIntel.bin" % origin)
    archive = ctx.actions.declare_file(ctx.label.name + ".cpio")
    completed = ctx.actions.declare_file(ctx.label.name + ".list")
    pack_action(
        ctx,
        initramfs_layer_info(entries),
        archive,
        completed,
        struct(codec = "none", level = 0, compressor = None, compressor_args = []),
        [],
        progress = "Packing early archive",
    )
    return [
        DefaultInfo(files = depset([archive])),
        InitramfsInfo(
            archive = archive,
            compression = "none",
            list = completed,
            parts = [archive],
        ),
        OutputGroupInfo(list = depset([completed])),
    ]

early_cpio = rule(
    implementation = _early_cpio_impl,
    attrs = {
        "files": attr.string_keyed_label_dict(
            allow_files = True,
            doc = """The files, by the name that the kernel looks for, which does not begin with a slash:
`{"kernel/x86/microcode/GenuineIntel.bin": "@microcode//:intel"}`.""",
        ),
    },
    doc = """An early archive, for `prepend`: files that the kernel reads before it unpacks anything, such as microcode and ACPI tables.

Example:

    early_cpio(
        name = "microcode",
        files = {"kernel/x86/microcode/AuthenticAMD.bin": "@microcode//:amd"},
    )

It is not compressed, because the kernel searches it in place.
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
    doc = """The differences between two images, as text: entries that were added, removed, or changed in content, mode
or owner, and the sizes.

Example:

    initramfs_diff(
        name = "changes",
        new = ":image",
        old = "@last_release//:image",
    )
""",
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)
