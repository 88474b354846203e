"""The initramfs rule: layers packed into an archive."""

load(":archs.bzl", "ARCH_ATTRS", "maybe_target_arch")
load(":layer.bzl", "LAYER_ATTRS", "layers_of", "own_entries")
load(":layer_info.bzl", "disjoint_layers", "initramfs_layer_info")
load(":pack.bzl", "declare_views", "join_action", "links_action", "lint_action", "pack_action", "tail_action")
load(":paths.bzl", "label_text")
load(":platform_transition.bzl", "PLATFORM_ATTRS", "platform_transition")
load(":providers.bzl", "InitramfsInfo")
load(":renames.bzl", "check_renamed", "renamed_attrs")
load(":tables.bzl", "CODECS", "IMAGE_VIEWS", "LINT_RULES")
load(":toolchains.bzl", "PACKER_TOOLCHAIN_TYPE")

_SEVERITIES = ["error", "off", "warning"]

def _is_power_of_two(n):
    return n > 0 and n & (n - 1) == 0

def _check(ctx, origin):
    """Checks at analysis what the packer would refuse."""
    check_renamed(ctx, "initramfs")
    codec = ctx.attr.compression
    levels = CODECS[codec].levels
    if ctx.attr.compression_level < 0 or ctx.attr.compression_level > levels:
        fail("%s: compression_level: %s has %s" % (origin, codec, "levels 1 to %d" % levels if levels else "no levels"))
    if ctx.attr.mtime < 0:
        fail("%s: mtime: %d is before 1970" % (origin, ctx.attr.mtime))
    if ctx.attr.align and (ctx.attr.align < 4 or not _is_power_of_two(ctx.attr.align)):
        fail("%s: align: %d: want a power of two, at least 4" % (origin, ctx.attr.align))
    for attribute in ["align", "dedupe"]:
        if getattr(ctx.attr, attribute) and ctx.attr.split == "layer":
            fail("%s: %s needs the whole archive: use split = \"size\" or \"none\"" % (origin, attribute))
    if ctx.attr.compressor and (codec == "none" or ctx.attr.compression_level):
        fail("%s: compressor replaces the built-in codec: name the codec that it writes in compression, and its level in compressor_args" % origin)
    if ctx.attr.compressor_args and not ctx.attr.compressor:
        fail("%s: compressor_args are for a compressor, and there is none" % origin)
    for rule, severity in ctx.attr.lint.items():
        if rule not in LINT_RULES:
            fail("%s: lint: %s is not a rule of packer lint: want one of %s" % (origin, rule, ", ".join(LINT_RULES.keys())))
        if severity not in _SEVERITIES:
            fail("%s: lint: %s: %r is not one of %s" % (origin, rule, severity, ", ".join(_SEVERITIES)))

def _format_args(ctx):
    """Options for the format of archives, the same for each part of an image."""
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
    """Options for what comes before the archive of an image."""
    args = ctx.actions.args()
    args.add_all(ctx.files.prepend, before_each = "--prepend")
    return args

def _end_args(ctx):
    """Options for what comes after it."""
    args = ctx.actions.args()
    if ctx.file.bootconfig:
        args.add("--bootconfig", ctx.file.bootconfig)
    return args

def _contents(ctx, layer, name):
    """The directory for the content of archives, which a list cannot name."""
    return ctx.actions.declare_directory(name + ".contents") if layer.archives else None

def _pack_whole(ctx, layers, archive, completed, views, method):
    layer = initramfs_layer_info(layers = layers)
    split = ctx.actions.args()
    split.add("--split", ctx.attr.split)
    contents = _contents(ctx, layer, ctx.label.name)
    pack_action(
        ctx,
        layer,
        archive,
        completed,
        method,
        [split, _format_args(ctx), _front_args(ctx), _end_args(ctx)],
        inputs = ctx.files.prepend + ctx.files.bootconfig,
        contents = contents,
        views = views,
    )
    return [archive], ([contents] if contents else [])

def _pack_layers(ctx, layers, archive, completed, views, method):
    layered = ctx.actions.args()
    layered.add("--layer")
    parts, directories, earlier = [], [], []
    layers = disjoint_layers(layers)
    for i, layer in enumerate(layers):
        name = "%s.parts/%d" % (ctx.label.name, i)
        part = struct(
            file = ctx.actions.declare_file(name + ".cpio" + CODECS[method.codec].extension),
            list = ctx.actions.declare_file(name + ".list"),
        )
        contents = _contents(ctx, layer, name)
        links = ctx.actions.args()
        links.add_all(earlier, before_each = "--earlier")
        pack_action(
            ctx,
            layer,
            part.file,
            part.list,
            method,
            [layered, links, _format_args(ctx)],
            inputs = earlier,
            contents = contents,
            progress = "Packing layer %d of %d of initramfs" % (i + 1, len(layers)),
        )
        if i < len(layers) - 1:
            earlier = earlier + [ctx.actions.declare_file(name + ".links")]
            links_action(ctx, layer, earlier[-1], part.list)
        parts.append(part)
        directories += [contents] if contents else []

    # The indexes of a single layer are whole. Those of several are merged at the end, so that the layers stay as they are.
    catalogs = [layer.module_catalogs for layer in layers if layer.module_catalogs]
    catalogs = depset(transitive = catalogs if len(catalogs) > 1 else [])
    join_action(
        ctx,
        archive,
        parts,
        catalogs,
        method,
        [_format_args(ctx), _front_args(ctx), _end_args(ctx)],
        inputs = ctx.files.prepend + ctx.files.bootconfig,
    )

    # packer lint and boots take the parts, so that a change in a layer does not write the whole archive for them.
    tail = ctx.actions.declare_file("%s.parts/tail.cpio%s" % (ctx.label.name, CODECS[method.codec].extension))
    contents = ctx.actions.declare_directory(ctx.label.name + ".parts/tail.contents") if catalogs else None
    directories += [contents] if contents else []
    tail_action(
        ctx,
        tail,
        completed,
        contents,
        views,
        [part.list for part in parts],
        catalogs,
        method,
        [_format_args(ctx), _front_args(ctx), _end_args(ctx)],
        inputs = ctx.files.prepend + ctx.files.bootconfig,
    )
    return ctx.files.prepend + [part.file for part in parts] + [tail], directories

def _initramfs_impl(ctx):
    origin = label_text(ctx.label)
    _check(ctx, origin)
    own = initramfs_layer_info(own_entries(ctx))
    layers = layers_of(ctx) + ([own] if own.entries else [])
    codec = ctx.attr.compression
    name = ctx.label.name + ".cpio" + CODECS[codec].extension
    archive = ctx.actions.declare_file(name)
    completed = ctx.actions.declare_file(ctx.label.name + ".list")
    method = struct(
        codec = codec,
        level = ctx.attr.compression_level,
        compressor = ctx.attr.compressor[DefaultInfo].files_to_run if ctx.attr.compressor else None,
        compressor_args = ctx.attr.compressor_args,
    )
    in_layers = ctx.attr.split == "layer" and layers
    pack = _pack_layers if in_layers else _pack_whole
    views = declare_views(ctx)
    parts, contents = pack(ctx, layers, archive, completed, views, method)
    report = ctx.actions.declare_file(ctx.label.name + ".lint")

    # A path may be in two layers if the later one replaces the earlier one, which packer join has checked.
    rules = ({"duplicate": "off"} if in_layers else {}) | ctx.attr.lint
    lint_action(ctx, parts, report, rules, maybe_target_arch(ctx), completed)
    return [
        DefaultInfo(files = depset([archive])),
        InitramfsInfo(
            archive = archive,
            compression = codec,
            list = completed,
            parts = parts,
            **views
        ),
        OutputGroupInfo(
            list = depset([completed] + contents),
            parts = depset(parts, order = "preorder"),
            _validation = depset([report]),
            **{view: depset([file]) for view, file in views.items()}
        ),
    ]

initramfs = rule(
    implementation = _initramfs_impl,
    attrs = LAYER_ATTRS | PLATFORM_ATTRS | ARCH_ATTRS | renamed_attrs("initramfs") | {
        "align": attr.int(
            doc = """Align the content of files that are larger than this many bytes to multiples of it in the archive, as
far as the padding of names has room: a power of two, at least 4, such as 4096. 0 aligns nothing beyond the format's 4 bytes.""",
        ),
        "bootconfig": attr.label(
            allow_single_file = True,
            doc = """A boot configuration to append to the image
(https://docs.kernel.org/admin-guide/bootconfig.html). The kernel reads it if it has CONFIG_BOOT_CONFIG and `bootconfig`
is on its command line.""",
        ),
        "checksum": attr.bool(
            doc = "Write a checksum of the content of each file, which the kernel verifies when it unpacks the image.",
        ),
        "compression": attr.string(
            default = "gzip",
            doc = """The codec, such as `gzip` or `zstd`: any that a kernel decompresses, or `none`. The kernel must have
it built in (CONFIG_RD_GZIP, CONFIG_RD_ZSTD...).""",
            values = CODECS.keys(),
        ),
        "compression_level": attr.int(
            doc = """The codec's level, if it has levels: from 1 to its highest, such as 22 for zstd. 0 is the codec's
default.""",
        ),
        "compressor": attr.label(
            cfg = "exec",
            doc = """A program that compresses its standard input to its standard output, in place of the built-in
codec. Set `compression` to the codec that it writes. The packer checks that its output decompresses to the input.""",
            executable = True,
        ),
        "compressor_args": attr.string_list(
            doc = """The arguments of `compressor`, such as `["-19"]`.""",
        ),
        "dedupe": attr.bool(
            doc = "Make files with the same content, mode and owner hard links of one file.",
        ),
        "lint": attr.string_dict(
            doc = """The severity of rules of `packer lint`, by rule ID: "error", "warning" or "off", such as
`{"no-init": "off", "setuid": "error"}`. The check runs with every build of the target, in the output group _validation;
an error fails the build.""",
        ),
        "mtime": attr.int(
            doc = """The modification time of every entry that has no time of its own in `metadata`, in seconds since
1970-01-01 00:00:00 UTC.""",
        ),
        "prepend": attr.label_list(
            allow_files = True,
            doc = """Early archives to put before the archive, uncompressed, where the kernel looks for microcode and ACPI
tables: see `early_cpio`.""",
        ),
        "split": attr.string(
            default = "size",
            doc = """How the archive is split into members, which are compressed on their own. "size": a member ends after
8 MiB of entries, and members are compressed in parallel. "layer": each of `layers`, and this target's own entries, is packed by an
action of its own, so that a change in a layer packs that layer only. "none": a single member, which is a little smaller,
and which programs other than the kernel may need.""",
            values = [
                "layer",
                "none",
                "size",
            ],
        ),
    },
    cfg = platform_transition,
    doc = """An initramfs: an archive that a kernel unpacks into its first root file system.

Example:

    initramfs(
        name = "image",
        compression = "zstd",
        files = {"/init": "//cmd/init"},
        layers = [":base"],
    )

The entries are those of `layers`, in order, and then the target's own. The output is `NAME.cpio`, with the codec's extension,
such as `NAME.cpio.zst`. Missing parent directories are added, mode 0755. Equal entries of one path merge; unequal
ones are an error that names both targets, unless `replaces` or `metadata` decides. Output groups:

    list         the entries in the format of the kernel's gen_init_cpio, with the targets' labels
    parts        the files that concatenate to the image, in order, for boot loaders that take several initrd files. With
                 split = "layer": the prepended archives, an archive for each layer, and a tail, which may be empty
    _validation  what packer lint reports; it runs with every build of the target
""" + "".join(["    %s%s%s\n" % (view, " " * (13 - len(view)), row.doc) for view, row in IMAGE_VIEWS.items()]),
    provides = [InitramfsInfo],
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)
