"""The initramfs rule: layers packed into an archive."""

load(":archs.bzl", "ARCH_ATTRS", "maybe_target_arch")
load(":codecs.bzl", "CODECS")
load(":layer.bzl", "LAYER_ATTRS", "join_layers", "layer_info")
load(":pack.bzl", "join_action", "lint_action", "pack_action", "tail_action")
load(":paths.bzl", "label_text")
load(":platform_transition.bzl", "PLATFORM_ATTRS", "platform_transition")
load(":providers.bzl", "InitramfsInfo", "InitramfsLayerInfo")
load(":toolchains.bzl", "PACKER_TOOLCHAIN_TYPE")

_SEVERITIES = ["error", "off", "warning"]

def _is_power_of_two(n):
    return n > 0 and n & (n - 1) == 0

def _check(ctx, origin):
    """Fails where the packer would, at analysis and with the label."""
    codec = ctx.attr.compression
    levels = CODECS[codec].levels
    if ctx.attr.level < 0 or ctx.attr.level > levels:
        fail("%s: level: %s has %s" % (origin, codec, "levels 1 to %d" % levels if levels else "no levels"))
    if ctx.attr.mtime < 0:
        fail("%s: mtime: %d is before 1970" % (origin, ctx.attr.mtime))
    if ctx.attr.align and (ctx.attr.align < 4 or not _is_power_of_two(ctx.attr.align)):
        fail("%s: align: %d: want a power of two from 4 on" % (origin, ctx.attr.align))
    if ctx.attr.align and ctx.attr.segments == "layer":
        fail("%s: align counts from the beginning of the whole archive: it goes with segments = \"auto\" or \"one\"" % origin)
    if ctx.attr.dedupe and ctx.attr.segments == "layer":
        fail("%s: dedupe links files of all layers: it goes with segments = \"auto\" or \"one\"" % origin)
    if ctx.attr.compressor and (codec == "none" or ctx.attr.level):
        fail("%s: compressor takes the place of the built-in codec: level is for compressor_args, and compression is the codec that it writes" % origin)
    if ctx.attr.compressor_args and not ctx.attr.compressor:
        fail("%s: compressor_args is for compressor, and there is none" % origin)
    for rule, severity in ctx.attr.lint.items():
        if severity not in _SEVERITIES:
            fail("%s: lint: %s: %r is none of %s" % (origin, rule, severity, ", ".join(_SEVERITIES)))

def _format_args(ctx):
    """Options on what archives are like, the same for each part of an image."""
    args = ctx.actions.args()
    args.add("--mtime", ctx.attr.mtime)
    if ctx.attr.checksum:
        args.add("--checksum")
    if ctx.attr.align:
        args.add("--align", ctx.attr.align)
    if ctx.attr.dedupe:
        args.add("--dedupe")
    return args

def _front_args(ctx):
    """Options on what is in front of the archive of an image."""
    args = ctx.actions.args()
    args.add_all(ctx.files.prepend, before_each = "--prepend")
    return args

def _behind_args(ctx):
    """Options on what is behind it."""
    args = ctx.actions.args()
    if ctx.file.bootconfig:
        args.add("--bootconfig", ctx.file.bootconfig)
    return args

def _contents(ctx, layer, name):
    """The folder for what archives hold, which a list cannot name."""
    return ctx.actions.declare_directory(name + ".contents") if layer.archives else None

def _pack_whole(ctx, layers, archive, completed, listings, method):
    layer = join_layers(layers)
    segments = ctx.actions.args()
    segments.add("--split", {"auto": "size", "one": "none"}[ctx.attr.segments])
    contents = _contents(ctx, layer, ctx.label.name)
    pack_action(
        ctx,
        layer,
        archive,
        completed,
        method,
        [segments, _format_args(ctx), _front_args(ctx), _behind_args(ctx)],
        inputs = ctx.files.prepend + ctx.files.bootconfig,
        contents = contents,
        listings = listings,
    )
    return [archive], ([contents] if contents else [])

def _pack_layers(ctx, layers, archive, completed, listings, method):
    layered = ctx.actions.args()
    layered.add("--layer")
    parts, folders = [], []
    for i, layer in enumerate(layers):
        name = "%s.segments/%d" % (ctx.label.name, i)
        part = struct(
            segment = ctx.actions.declare_file(name + ".cpio" + CODECS[method.codec].extension),
            list = ctx.actions.declare_file(name + ".list"),
        )
        contents = _contents(ctx, layer, name)
        pack_action(
            ctx,
            layer,
            part.segment,
            part.list,
            method,
            [layered, _format_args(ctx)],
            contents = contents,
            progress = "Packing layer %d of %d of initramfs" % (i + 1, len(layers)),
        )
        parts.append(part)
        folders += [contents] if contents else []
    join_action(
        ctx,
        archive,
        parts,
        method,
        [_format_args(ctx), _front_args(ctx), _behind_args(ctx)],
        inputs = ctx.files.prepend + ctx.files.bootconfig,
    )

    # For who takes the parts, as packer lint and boots do: a change in a layer makes no archive for them.
    tail = ctx.actions.declare_file("%s.segments/tail.cpio%s" % (ctx.label.name, CODECS[method.codec].extension))
    tail_action(
        ctx,
        tail,
        completed,
        listings,
        [part.list for part in parts],
        method,
        [_format_args(ctx), _front_args(ctx), _behind_args(ctx)],
        inputs = ctx.files.prepend + ctx.files.bootconfig,
    )
    return ctx.files.prepend + [part.segment for part in parts] + [tail], folders

def _initramfs_impl(ctx):
    origin = label_text(ctx.label)
    _check(ctx, origin)
    own = layer_info(ctx)
    layers = [target[InitramfsLayerInfo] for target in ctx.attr.layers] + ([own] if own.entries else [])
    codec = ctx.attr.compression
    name = ctx.label.name + ".cpio" + CODECS[codec].extension
    archive = ctx.actions.declare_file(name)
    completed = ctx.actions.declare_file(ctx.label.name + ".list")
    method = struct(
        codec = codec,
        level = ctx.attr.level,
        compressor = ctx.attr.compressor[DefaultInfo].files_to_run if ctx.attr.compressor else None,
        compressor_args = ctx.attr.compressor_args,
    )
    in_layers = ctx.attr.segments == "layer" and layers
    pack = _pack_layers if in_layers else _pack_whole
    listings = struct(
        listing = ctx.actions.declare_file(ctx.label.name + ".listing"),
        json = ctx.actions.declare_file(ctx.label.name + ".json"),
    )
    segments, contents = pack(ctx, layers, archive, completed, listings, method)
    report = ctx.actions.declare_file(ctx.label.name + ".lint")

    # Between layers a path that is there again replaces the one before: packer join has seen to it.
    rules = ({"duplicate": "off"} if in_layers else {}) | ctx.attr.lint
    lint_action(ctx, segments, report, rules, maybe_target_arch(ctx), completed)
    return [
        DefaultInfo(files = depset([archive])),
        InitramfsInfo(
            archive = archive,
            compression = codec,
            json = listings.json,
            list = completed,
            listing = listings.listing,
            segments = segments,
        ),
        OutputGroupInfo(
            json = depset([listings.json]),
            list = depset([completed] + contents),
            listing = depset([listings.listing]),
            segments = depset(segments, order = "preorder"),
            _validation = depset([report]),
        ),
    ]

initramfs = rule(
    implementation = _initramfs_impl,
    attrs = LAYER_ATTRS | PLATFORM_ATTRS | ARCH_ATTRS | {
        "align": attr.int(
            doc = """Begin the content of files larger than this many bytes at multiples of it in the archive, where
the names' padding has room; a power of two from 4 on, or 0.""",
        ),
        "bootconfig": attr.label(
            allow_single_file = True,
            doc = """A boot configuration to be put behind the archive
(https://docs.kernel.org/admin-guide/bootconfig.html). The kernel reads it with CONFIG_BOOT_CONFIG and the word
`bootconfig` on its command line.""",
        ),
        "checksum": attr.bool(
            doc = "Add a sum over the content of each file, which the kernel checks when it unpacks.",
        ),
        "compression": attr.string(
            default = "gzip",
            doc = """The codec: `gzip`, `zstd`, `xz`, `lzma`, `lz4`, `lzo`, `bzip2` or `none`. The kernel must have it
built in (CONFIG_RD_GZIP, CONFIG_RD_ZSTD...).""",
            values = CODECS.keys(),
        ),
        "compressor": attr.label(
            cfg = "exec",
            doc = """A program that compresses standard input to standard output, in place of the built-in
codec; `compression` is the codec that it writes. What it writes is checked to decompress to what it was given.""",
            executable = True,
        ),
        "compressor_args": attr.string_list(
            doc = """The arguments of `compressor`, such as `["-19"]`.""",
        ),
        "dedupe": attr.bool(
            doc = "Make hard links of files with the same content, mode and owner.",
        ),
        "layers": attr.label_list(
            doc = "Layers, whose entries come before this target's own, in this order.",
            providers = [InitramfsLayerInfo],
        ),
        "level": attr.int(
            doc = """The codec's level: 1 to 9 for gzip, lz4 and bzip2, 1 to 22 for zstd; the others have
none. 0 is the codec's default: 9, and 3 for zstd.""",
        ),
        "lint": attr.string_dict(
            doc = """What becomes of the rules of packer lint, by their ids: "error", "warning" or "off", such as
`{"no-init": "off", "setuid": "error"}`. The check runs beside the build, in the output group _validation; an error fails the build.""",
        ),
        "mtime": attr.int(
            doc = "The time of every entry, in seconds since 1970-01-01 00:00:00 UTC.",
        ),
        "prepend": attr.label_list(
            allow_files = True,
            doc = """Early archives to be put in front, uncompressed, as a kernel wants its microcode and ACPI tables:
see `early_cpio`.""",
        ),
        "segments": attr.string(
            default = "auto",
            doc = """How the archive is cut into members that are compressed on their own, where an entry
ends: "auto" every 8 MiB, in parallel; "layer" one for each of `layers` and one for this target's own entries, each packed
by an action of its own, so that a change in a layer packs that layer only; or "one" for a single member, which is a
little smaller and what some programs want that are not the kernel.""",
            values = [
                "auto",
                "layer",
                "one",
            ],
        ),
    },
    cfg = platform_transition,
    doc = """An initramfs: an archive that a kernel unpacks into its first root file system.

Example:

    initramfs(
        name = "image",
        files = {"/init": "//cmd/init"},
        layers = [":base"],
        compression = "zstd",
    )

The output is `NAME.cpio`, with what the codec ends in. Missing parent directories are added, mode 0755; a path given
twice is an error that names both targets. Output groups:

    list         what is in it, in the format of the kernel's gen_init_cpio, with the targets' labels
    listing      what is in it, like ls -l, to be read and compared
    json         the same, an object a line
    segments     with segments = "layer", the parts of the image, for a boot loader that takes several initrd files: the
                 prepended archives, a member for each layer, and what comes behind them, which may be nothing
    _validation  what packer lint finds; it runs with every build of the target
""",
    provides = [InitramfsInfo],
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)
