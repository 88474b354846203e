"""Layers: the attributes that say what goes into an image, and what becomes of them."""

load(
    ":entries.bzl",
    "archives_entry",
    "binary_entry",
    "dir_entry",
    "file_entry",
    "hardlink_entry",
    "lists_entry",
    "metadata_entry",
    "node_entry",
    "pipe_entry",
    "replaces_entry",
    "socket_entry",
    "symlink_entry",
    "tree_entry",
)
load(":metadata.bzl", "check_fields")
load(":paths.bzl", "check_folder", "check_parts", "check_path", "label_text")
load(":providers.bzl", "InitramfsLayerInfo")

# What goes into an image, by kind. Each path may be given once.
_CONTENT_ATTRS = {
    "binaries": attr.string_keyed_label_dict(
        cfg = "target",
        doc = """Executables with their runfiles, by their path: `{"/bin/app": "//cmd/app"}`. The runfiles
are in /bin/app.runfiles, where the runfiles libraries look. Modes are 0755: which of the runfiles
are programs is not known.""",
    ),
    "dirs": attr.string_list(
        doc = "Directories, mode 0755. Those above any entry are added without being named.",
    ),
    "files": attr.string_keyed_label_dict(
        allow_files = True,
        doc = """Files, by their path in the image: `{"/init": "//cmd/init"}`. An executable target's
file and /init have mode 0755, others 0644.""",
    ),
    "hardlinks": attr.string_dict(
        doc = """More names of files that this target gives: `{"/bin/[": "/bin/busybox"}`.""",
    ),
    "nodes": attr.string_dict(
        doc = """Device nodes, mode 0600: `{"/dev/console": "c 5 1"}`.""",
    ),
    "pipes": attr.string_list(
        doc = "Named pipes, mode 0644.",
    ),
    "sockets": attr.string_list(
        doc = "Sockets, mode 0644.",
    ),
    "symlinks": attr.string_dict(
        doc = """Symbolic links to any text: `{"/bin/sh": "busybox"}`.""",
    ),
    "tree_strip_prefixes": attr.string_dict(
        doc = """What is left out at the beginning of the files' paths, by the path of `trees` that they go
below: a folder of the workspace, as in the files' short paths. By default the package of the target.""",
    ),
    "trees": attr.string_keyed_label_dict(
        allow_files = True,
        doc = """Any number of files, by the path that they go below: `{"/usr/share/zoneinfo": ":zoneinfo"}`;
"/" is the root. Of a tree artifact (a rule's output folder) it is the content that goes there, of
a filegroup the files, with their paths below the filegroup's package. Modes are 0644.""",
    ),
}

_ARCHIVE_ATTRS = {
    "archive_excludes": attr.string_list(
        doc = """Globs of what is left out of `archives`, by its path in the image: `["/usr/share/doc/**"]`.
`*` and `?` stop at a slash, `**` does not. One that matches nothing is an error.""",
    ),
    "archive_prefix": attr.string(
        default = "/",
        doc = "The path that the content of `archives` goes below.",
    ),
    "archives": attr.label_list(
        allow_files = True,
        doc = """Archives, what is in them: cpio (what a kernel unpacks: any codec, several members) and tar,
compressed or not. Modes, owners, devices and hard links are theirs.""",
    ),
}

_LIST_ATTRS = {
    "data": attr.string_keyed_label_dict(
        allow_files = True,
        doc = """The files that `lists` may name, by the location that they name:
`{"initramfs/busybox": "@busybox"}`. A list may also say `$(location LABEL)`. A location that is
not here is an error, and so is one here that no list names.""",
    ),
    "lists": attr.label_list(
        allow_files = True,
        doc = "Lists in the format of the kernel's gen_init_cpio.",
    ),
    "vars": attr.string_dict(
        doc = """What `${NAME}` stands for in the locations of `lists`. Nothing is read from the environment: a
name that is not here is an error.""",
    ),
}

_METADATA_ATTRS = {
    "metadata": attr.string_dict(
        doc = """Modes, owners and times of this target's own entries, those of its `lists` and `archives`
included, by path or glob: `{"/tmp": entry(mode = "1777"), "/usr/bin/*": entry(mode = "0755")}`.
A glob stands for what is no directory, one with a slash at its end for directories; `*` and `?` stop at a slash, `**`
does not. Later ones win. One that matches nothing is an error.""",
    ),
    "replaces": attr.string_list(
        doc = """Paths at which this target's entry replaces one of a layer before it. Without it the same path
twice is an error, and so is one here that replaces nothing.""",
    ),
}

_COMPOSITION_ATTRS = {
    "srcs": attr.label_list(
        doc = "Other layers, whose entries come before this target's own, in this order.",
        providers = [InitramfsLayerInfo],
    ),
}

LAYER_ATTRS = _COMPOSITION_ATTRS | _CONTENT_ATTRS | _ARCHIVE_ATTRS | _LIST_ATTRS | _METADATA_ATTRS

def _single_file(origin, attribute, path, target):
    """The one file that a target stands for, and whether it can be executed."""
    executable = target[DefaultInfo].files_to_run.executable
    files = target[DefaultInfo].files.to_list()
    if len(files) != 1:
        if executable:
            return executable, True
        fail("%s: %s: %s: %s gives %d files, and a path takes one: use trees for many" % (
            origin,
            attribute,
            path,
            label_text(target.label),
            len(files),
        ))
    file = files[0]
    if file.is_directory:
        fail("%s: %s: %s: %s gives a directory, and a path takes a file: use trees for it" % (
            origin,
            attribute,
            path,
            label_text(target.label),
        ))

    # Of a source file it is not known, as its mode on disk is not asked for.
    return file, file == executable and not file.is_source

def _simple_entries(ctx, origin):
    """The entries that need no File."""
    entries = []
    for path in ctx.attr.dirs:
        check_path(origin, "dirs", path)
        entries.append(dir_entry(origin, path))
    for path, device in ctx.attr.nodes.items():
        check_path(origin, "nodes", path)
        entries.append(node_entry(origin, path, device))
    for path in ctx.attr.pipes:
        check_path(origin, "pipes", path)
        entries.append(pipe_entry(origin, path))
    for path in ctx.attr.sockets:
        check_path(origin, "sockets", path)
        entries.append(socket_entry(origin, path))
    for path, target in ctx.attr.symlinks.items():
        check_path(origin, "symlinks", path)
        if not target:
            fail("%s: symlinks: %s leads to nothing" % (origin, path))
        entries.append(symlink_entry(origin, path, target))
    return entries

def _file_entries(ctx, origin):
    entries, files = [], []
    for path, target in ctx.attr.files.items():
        check_path(origin, "files", path)
        file, executable = _single_file(origin, "files", path, target)
        entries.append(file_entry(origin, path, file, executable or path == "/init"))
        files.append(file)
    return entries, files

def _binary_entries(ctx, origin):
    entries, depsets = [], []
    for path, target in ctx.attr.binaries.items():
        check_path(origin, "binaries", path)
        if not target[DefaultInfo].files_to_run.executable:
            fail("%s: binaries: %s: %s is not executable: use files for it" % (origin, path, label_text(target.label)))
        e = binary_entry(origin, path, target, ctx.workspace_name)
        entries.append(e)
        depsets.append(depset(
            [e.file] + ([e.repo_mapping] if e.repo_mapping else []),
            transitive = [e.files, target[DefaultInfo].default_runfiles.files],
        ))
        for links in [e.symlinks, e.root_symlinks]:
            if links:
                depsets.append(depset([link.target_file for link in links.to_list()]))
    return entries, depsets

def _tree_strip(ctx, origin, path, target):
    if path not in ctx.attr.tree_strip_prefixes:
        repository = target.label.repo_name
        package = target.label.package
        folder = "/".join([part for part in [repository, package] if part])
    else:
        folder = ctx.attr.tree_strip_prefixes[path]
        if folder:
            check_parts(origin, "tree_strip_prefixes", "/" + folder)
    return folder + "/" if folder else ""

def _tree_entries(ctx, origin):
    entries, depsets = [], []
    for path in ctx.attr.tree_strip_prefixes:
        if path not in ctx.attr.trees:
            fail("%s: tree_strip_prefixes: %s is no key of trees" % (origin, path))
    for path, target in ctx.attr.trees.items():
        check_folder(origin, "trees", path)
        files = target[DefaultInfo].files
        entries.append(tree_entry(origin, "" if path == "/" else path, files, _tree_strip(ctx, origin, path, target)))
        depsets.append(files)
    return entries, depsets

def _hardlink_entries(ctx, origin):
    entries = []
    for path, file in ctx.attr.hardlinks.items():
        check_path(origin, "hardlinks", path)
        check_path(origin, "hardlinks", file)
        entries.append(hardlink_entry(origin, path, file))
    return entries

def _archive_entries(ctx, origin):
    check_folder(origin, "archive_prefix", ctx.attr.archive_prefix)
    if not ctx.files.archives:
        if ctx.attr.archive_excludes or ctx.attr.archive_prefix != "/":
            fail("%s: archive_prefix and archive_excludes are for archives, and there are none" % origin)
        return []
    return [archives_entry(origin, ctx.files.archives, ctx.attr.archive_prefix, ctx.attr.archive_excludes)]

def _list_entries(ctx, origin):
    data, files = [], []
    for location, target in ctx.attr.data.items():
        file, _ = _single_file(origin, "data", location, target)
        data.append((location, file, label_text(target.label)))
        files.append(file)
    if ctx.files.lists:
        return [lists_entry(origin, ctx.files.lists, data, ctx.attr.vars)], files + ctx.files.lists
    for attribute in ["data", "vars"]:
        if getattr(ctx.attr, attribute):
            fail("%s: %s is for the locations of lists, and there are no lists" % (origin, attribute))
    return [], []

def _override_entries(ctx, origin):
    entries = []
    for path, fields in ctx.attr.metadata.items():
        check_path(origin, "metadata", path.removesuffix("/") or "/")
        check_fields(origin, path, fields)
        entries.append(metadata_entry(origin, path, fields))
    for path in ctx.attr.replaces:
        check_path(origin, "replaces", path)
        entries.append(replaces_entry(origin, path))
    return entries

def layer_info(ctx):
    """Makes the InitramfsLayerInfo of a target with LAYER_ATTRS.

    Args:
        ctx: the rule's context.

    Returns:
        An InitramfsLayerInfo.
    """
    origin = label_text(ctx.label)
    sources = [target[InitramfsLayerInfo] for target in ctx.attr.srcs]
    files, direct = _file_entries(ctx, origin)
    binaries, runfiles = _binary_entries(ctx, origin)
    trees, content = _tree_entries(ctx, origin)
    lists, named = _list_entries(ctx, origin)
    entries = (
        _simple_entries(ctx, origin) +
        files +
        binaries +
        trees +
        _hardlink_entries(ctx, origin) +
        _archive_entries(ctx, origin) +
        lists +
        _override_entries(ctx, origin)
    )
    return InitramfsLayerInfo(
        archives = depset(ctx.files.archives, transitive = [source.archives for source in sources]),
        entries = depset(entries, transitive = [source.entries for source in sources], order = "postorder"),
        files = depset(
            direct + ctx.files.archives + named,
            transitive = [source.files for source in sources] + runfiles + content,
        ),
    )

def join_layers(layers):
    """Makes one InitramfsLayerInfo of several.

    Args:
        layers: list of InitramfsLayerInfo.

    Returns:
        An InitramfsLayerInfo.
    """
    return InitramfsLayerInfo(
        archives = depset(transitive = [layer.archives for layer in layers]),
        entries = depset(transitive = [layer.entries for layer in layers], order = "postorder"),
        files = depset(transitive = [layer.files for layer in layers]),
    )

def _initramfs_layer_impl(ctx):
    info = layer_info(ctx)
    return [info, DefaultInfo(files = info.files)]

initramfs_layer = rule(
    implementation = _initramfs_layer_impl,
    attrs = LAYER_ATTRS,
    doc = """A part of an initramfs, to be put into images with `layers` and into other layers with `srcs`.

Example:

    initramfs_layer(
        name = "base",
        dirs = ["/proc", "/sys", "/tmp"],
        files = {"/etc/motd": "motd"},
        metadata = {"/tmp": entry(mode = "1777")},
        nodes = {"/dev/console": "c 5 1"},
        symlinks = {"/bin/sh": "busybox"},
    )

Everything given is in the image or in an error. The order in the image is: `srcs`, `dirs`, `nodes`, `pipes`, `sockets`,
`symlinks`, `files`, `binaries`, `trees`, `archives`, `lists`; a directory comes before what is in it.
""",
    provides = [InitramfsLayerInfo],
)
