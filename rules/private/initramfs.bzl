"""The initramfs rule: layers packed into an archive."""

load(":entries.bzl", "list_lines")
load(":layer.bzl", "LAYER_ATTRS", "label_text", "layer_info")
load(":providers.bzl", "InitramfsInfo", "InitramfsLayerInfo")
load(":toolchains.bzl", "PACKER_TOOLCHAIN_TYPE")

# The codecs: what a file name ends in, and the highest level, 0 where there are none.
_CODECS = {
    "bzip2": struct(extension = ".bz2", levels = 9),
    "gzip": struct(extension = ".gz", levels = 9),
    "lz4": struct(extension = ".lz4", levels = 9),
    "lzma": struct(extension = ".lzma", levels = 0),
    "lzo": struct(extension = ".lzo", levels = 0),
    "none": struct(extension = "", levels = 0),
    "xz": struct(extension = ".xz", levels = 0),
    "zstd": struct(extension = ".zst", levels = 22),
}

def _check(ctx):
    """Fails where the packer would, at analysis and with the label."""
    origin = label_text(ctx.label)
    codec = ctx.attr.compression
    levels = _CODECS[codec].levels
    if ctx.attr.level < 0 or ctx.attr.level > levels:
        fail("%s: level: %s has %s" % (origin, codec, "levels 1 to %d" % levels if levels else "no levels"))
    if ctx.attr.mtime < 0:
        fail("%s: mtime: %d is before 1970" % (origin, ctx.attr.mtime))

def _initramfs_impl(ctx):
    _check(ctx)
    layer = layer_info(ctx, [target[InitramfsLayerInfo] for target in ctx.attr.layers])
    codec = ctx.attr.compression
    archive = ctx.actions.declare_file(ctx.label.name + ".cpio" + _CODECS[codec].extension)
    completed = ctx.actions.declare_file(ctx.label.name + ".list")

    options = ctx.actions.args()
    options.add_all(["pack", "--directives", "--parents"])
    options.add("--out", archive)
    options.add("--write-list", completed)
    options.add("--compress", "%s:%d" % (codec, ctx.attr.level) if ctx.attr.level else codec)
    options.add("--segments", ctx.attr.segments)
    options.add("--mtime", ctx.attr.mtime)

    generated = ctx.actions.args()
    generated.set_param_file_format("multiline")
    generated.use_param_file("%s", use_always = True)
    generated.add_all(layer.entries, map_each = list_lines)

    ctx.actions.run(
        arguments = [options, generated],
        executable = ctx.toolchains[PACKER_TOOLCHAIN_TYPE].packer,
        execution_requirements = {"supports-path-mapping": "1"},
        inputs = layer.files,
        mnemonic = "InitramfsPack",
        outputs = [archive, completed],
        progress_message = "Packing initramfs %{label}",
        toolchain = PACKER_TOOLCHAIN_TYPE,
    )
    return [
        DefaultInfo(files = depset([archive])),
        InitramfsInfo(
            archive = archive,
            compression = codec,
            list = completed,
            segments = [archive],
        ),
        OutputGroupInfo(list = depset([completed])),
    ]

initramfs = rule(
    implementation = _initramfs_impl,
    attrs = LAYER_ATTRS | {
        "compression": attr.string(
            default = "gzip",
            doc = "The codec. The kernel must have it built in (CONFIG_RD_GZIP, CONFIG_RD_ZSTD...).",
            values = _CODECS.keys(),
        ),
        "layers": attr.label_list(
            doc = "Layers, whose entries come before this target's own, in this order.",
            providers = [InitramfsLayerInfo],
        ),
        "level": attr.int(
            doc = """The codec's level: 1 to 9 for gzip, lz4 and bzip2, 1 to 22 for zstd; the others have
none. 0 is the codec's default: 9, and 3 for zstd.""",
        ),
        "mtime": attr.int(
            doc = "The time of every entry, in seconds since 1970-01-01 00:00:00 UTC.",
        ),
        "segments": attr.string(
            default = "auto",
            doc = """How the archive is cut into members that are compressed on their own, where an entry
ends: "auto" every 8 MiB, in parallel, or "one" for a single member, which is a little smaller and
what some programs want that are not the kernel.""",
            values = [
                "auto",
                "one",
            ],
        ),
    },
    doc = """An initramfs: an archive that a kernel unpacks into its first root file system.

Example:

    initramfs(
        name = "image",
        files = {"/init": "//cmd/init"},
        layers = [":base"],
        compression = "zstd",
    )

The output is `NAME.cpio`, with what the codec ends in. Output group `list` is the completed list
of what is in it, in the format of the kernel's gen_init_cpio. Missing parent directories are
added, mode 0755; a path given twice is an error that names both targets.
""",
    provides = [InitramfsInfo],
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)
