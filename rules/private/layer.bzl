"""Layers: the attributes that say what goes into an image, and what becomes of them."""

load(
    ":entries.bzl",
    "check_path",
    "dir_entry",
    "file_entry",
    "lists_entry",
    "metadata_entry",
    "node_entry",
    "symlink_entry",
)
load(":providers.bzl", "InitramfsLayerInfo")

# What goes into an image, by kind. Each path may be given once.
CONTENT_ATTRS = {
    "dirs": attr.string_list(
        doc = "Directories, mode 0755. Those above any entry are added without being named.",
    ),
    "files": attr.string_keyed_label_dict(
        allow_files = True,
        doc = """Files, by their path in the image: `{"/init": "//cmd/init"}`. An executable target's
file and /init have mode 0755, others 0644.""",
    ),
    "nodes": attr.string_dict(
        doc = """Device nodes, mode 0600: `{"/dev/console": "c 5 1"}`.""",
    ),
    "symlinks": attr.string_dict(
        doc = """Symbolic links to any text: `{"/bin/sh": "busybox"}`.""",
    ),
}

LIST_ATTRS = {
    "data": attr.string_keyed_label_dict(
        allow_files = True,
        doc = """The files that `lists` may name, by the location that they name:
`{"initramfs/busybox": "@busybox"}`. A location that is not here is an error, and so is
one here that no list names.""",
    ),
    "lists": attr.label_list(
        allow_files = True,
        doc = "Lists in the format of the kernel's gen_init_cpio.",
    ),
}

METADATA_ATTRS = {
    "metadata": attr.string_dict(
        doc = """Modes and owners of this target's own entries, those of its `lists` included:
`{"/tmp": entry(mode = "1777")}`. One that matches nothing is an error.""",
    ),
}

LAYER_ATTRS = CONTENT_ATTRS | LIST_ATTRS | METADATA_ATTRS

def label_text(label):
    """How a label is written in messages and lists: without the @@ of the main repository."""
    text = str(label)
    return text[2:] if text.startswith("@@//") else text

def _single_file(origin, attribute, path, target):
    """The one file that a target stands for, and whether it can be executed."""
    executable = target[DefaultInfo].files_to_run.executable
    files = target[DefaultInfo].files.to_list()
    if len(files) != 1:
        if executable:
            return executable, True
        fail("%s: %s: %s: %s gives %d files, and a path takes one" % (
            origin,
            attribute,
            path,
            label_text(target.label),
            len(files),
        ))
    file = files[0]
    if file.is_directory:
        fail("%s: %s: %s: %s gives a directory, and a path takes a file" % (
            origin,
            attribute,
            path,
            label_text(target.label),
        ))

    # Of a source file it is not known, as its mode on disk is not asked for.
    return file, file == executable and not file.is_source

def layer_info(ctx, layers = []):
    """Makes the InitramfsLayerInfo of a target with LAYER_ATTRS.

    Args:
        ctx: the rule's context.
        layers: list of InitramfsLayerInfo, whose entries come first.

    Returns:
        An InitramfsLayerInfo.
    """
    origin = label_text(ctx.label)
    entries = []
    files = []

    for path in ctx.attr.dirs:
        check_path(origin, "dirs", path)
        entries.append(dir_entry(origin, path))
    for path, device in ctx.attr.nodes.items():
        check_path(origin, "nodes", path)
        entries.append(node_entry(origin, path, device))
    for path, target in ctx.attr.symlinks.items():
        check_path(origin, "symlinks", path)
        if not target:
            fail("%s: symlinks: %s leads to nothing" % (origin, path))
        entries.append(symlink_entry(origin, path, target))
    for path, target in ctx.attr.files.items():
        check_path(origin, "files", path)
        file, executable = _single_file(origin, "files", path, target)
        entries.append(file_entry(origin, path, file, executable or path == "/init"))
        files.append(file)

    data = {}
    for location, target in ctx.attr.data.items():
        file, _ = _single_file(origin, "data", location, target)
        data[location] = file
        files.append(file)
    if ctx.files.lists:
        entries.append(lists_entry(origin, ctx.files.lists, data))
        files += ctx.files.lists
    elif data:
        fail("%s: data is for the locations of lists, and there are no lists" % origin)

    for path, fields in ctx.attr.metadata.items():
        check_path(origin, "metadata", path)
        entries.append(metadata_entry(origin, path, fields))

    return InitramfsLayerInfo(
        entries = depset(entries, transitive = [layer.entries for layer in layers], order = "postorder"),
        files = depset(files, transitive = [layer.files for layer in layers]),
    )

def _initramfs_layer_impl(ctx):
    info = layer_info(ctx)
    return [info, DefaultInfo(files = info.files)]

initramfs_layer = rule(
    implementation = _initramfs_layer_impl,
    attrs = LAYER_ATTRS,
    doc = """A part of an initramfs, to be put into images with `layers`.

Example:

    initramfs_layer(
        name = "base",
        dirs = ["/proc", "/sys", "/tmp"],
        files = {"/etc/motd": "motd"},
        metadata = {"/tmp": entry(mode = "1777")},
        nodes = {"/dev/console": "c 5 1"},
        symlinks = {"/bin/sh": "busybox"},
    )

Everything given is in the image or in an error. The order of the attributes is the order in
the image: `dirs`, `nodes`, `symlinks`, `files`, `lists`; a directory comes before what is in it.
""",
    provides = [InitramfsLayerInfo],
)
