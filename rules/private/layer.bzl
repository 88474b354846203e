"""Layers: the attributes that say what goes into an image, and the entries that they make."""

load(
    ":entries.bzl",
    "archives_entry",
    "binary_entry",
    "device_node_entry",
    "dir_entry",
    "file_entry",
    "hardlink_entry",
    "libraries_entry",
    "library_source",
    "lists_entry",
    "metadata_entry",
    "pipe_entry",
    "replaces_entry",
    "socket_entry",
    "symlink_entry",
    "tree_entry",
)
load(":layer_info.bzl", "initramfs_layer_info")
load(":lines.bzl", "SHARED_LIBRARY_DIRECTORY", "is_shared_library")
load(":paths.bzl", "check_parts", "label_text")
load(":providers.bzl", "InitramfsInfo", "InitramfsLayerInfo")
load(":renames.bzl", "check_renamed", "renamed_attrs")
load(":repo_mapping.bzl", "repo_mapping_aspect")
load(":single_file.bzl", "check_files", "single_file")
load(":tables.bzl", "CODECS")

# What goes into an image, by kind. Each path may be given once.
_CONTENT_ATTRS = {
    "binaries": attr.string_keyed_label_dict(
        aspects = [repo_mapping_aspect],
        cfg = "target",
        doc = """Executables with their runfiles, by path in the image: `{"/bin/app": "//cmd/app"}`. The runfiles
go to /bin/app.runfiles, where the runfiles libraries look for them. All have mode 0755, because Bazel does not say which
runfiles are programs.""",
    ),
    "device_nodes": attr.string_dict(
        doc = """Device nodes, mode 0600, by path in the image: `{"/dev/console": "c 5 1"}`. A value is `c` for a character
device or `b` for a block device, then the major and the minor number.""",
    ),
    "dirs": attr.string_list(
        doc = """Directories, mode 0755: `["/proc", "/tmp"]`. Parent directories of entries are added without being
named.""",
    ),
    "files": attr.string_keyed_label_dict(
        allow_files = True,
        doc = """Regular files, by path in the image: `{"/init": "//cmd/init"}`. The executable of a target and /init have
mode 0755, all others 0644. The mode on disk does not count. The shared libraries that Bazel has built for an executable are added
to /usr/lib.""",
    ),
    "hardlinks": attr.string_dict(
        doc = """More names of files of the same target, by path in the image: `{"/bin/[": "/bin/busybox"}`.""",
    ),
    "pipes": attr.string_list(
        doc = """Named pipes, mode 0644: `["/run/initctl"]`.""",
    ),
    "sockets": attr.string_list(
        doc = """Sockets, mode 0644: `["/dev/log"]`.""",
    ),
    "symlinks": attr.string_dict(
        doc = """Symbolic links, by path in the image: `{"/bin/sh": "busybox"}`. A value is what the link points to, which
need not exist.""",
    ),
    "tree_strip_prefixes": attr.string_dict(
        doc = """The directory to leave out at the beginning of the files' paths, by a path of `trees`:
`{"/etc": "config/etc"}`. It is relative to the repository of the files. By default it is the package of the target.""",
    ),
    "trees": attr.string_keyed_label_dict(
        allow_files = True,
        doc = """Targets with any number of files, by the path that the files go below, which may be "/":
`{"/usr/share/zoneinfo": ":zoneinfo"}`. The content of a tree artifact (a rule's output directory) goes directly below the path;
other files keep their path below the target's package. All have mode 0644. Bazel hands over files only: of a tree artifact,
empty directories are lost, symbolic links become what they lead to, and modes and owners are those of this rule. A target
that has no files is an error.""",
    ),
}

_ARCHIVE_ATTRS = {
    "archive_excludes": attr.string_list(
        doc = """Globs of entries of `archives` to leave out, by path in the image: `["/usr/share/doc"]`. A directory is left out
with everything below it. `*` and `?` do not match a slash, `**` does. A glob that matches nothing is an error.""",
    ),
    "archive_includes": attr.string_list(
        doc = """Globs of entries of `archives` to take, by path in the image: `["/usr/lib/*/libz.so*"]`. A directory is taken
with everything below it, and the directories above are taken too, with their modes and owners. By default all entries are
taken. `archive_excludes` leaves out entries of those. A glob that matches nothing is an error.""",
    ),
    "archive_prefix": attr.string(
        default = "/",
        doc = """The path that the content of `archives` goes below, such as "/opt/app".""",
    ),
    "archive_whiteouts": attr.string(
        default = "error",
        doc = """What to do with whiteouts (`.wh.NAME`) in `archives`, by which a layer of a container image removes what an earlier
one has. "error": refuse them. "apply": `archives` are the layers of one container image, in order: whiteouts remove entries of
the archives before, and a later entry replaces an earlier one. "keep": add them as files.""",
        values = [
            "apply",
            "error",
            "keep",
        ],
    ),
    "archives": attr.label_list(
        allow_files = True,
        doc = """Archives whose content is added: cpio (whatever a kernel unpacks: any codec, several members), tar, compressed or
not, and Debian packages (.deb). Modes, owners, devices and hard links come from the archive.""",
    ),
}

_LIBRARY_ATTRS = {
    "libraries": attr.label_list(
        allow_files = True,
        doc = """Where the target's own programs get what they need at run time: their dynamic loader, and the shared
libraries that they are linked with, transitively, as the loader would find them. Nothing else is taken. Each one is a layer, an
archive (.deb, .tar, .cpio, compressed or not, or an image), or a target with any number of files, which have the paths that
`trees` would give them below "/". Files from layers and archives keep their modes, owners and symbolic links. What a program
needs and no source has is an error, and so is a file that two sources have with different content.""",
    ),
    "library_dlopen": attr.string(
        default = "recommended",
        doc = """What to take of the libraries that programs load by dlopen(3), as the notes in them say
(https://uapi-group.org/specifications/specs/elf_dlopen_metadata/): those whose priority is at least this. A required one that
is missing is an error; others are taken if a source has them.""",
        values = ["none", "recommended", "required", "suggested"],
    ),
    "library_extras": attr.string_list(
        doc = """What to take that the GNU C library loads by itself: "gconv", the conversions of iconv(3); "libgcc_s", which
threads need to be canceled; "nss", the modules that the target's /etc/nsswitch.conf names.""",
    ),
    "library_features": attr.string_list(
        doc = """Features of dlopen notes to take libraries for, whatever their priority, or with a dash in front, not to take
any for: `["tpm2", "-pwquality"]`. A feature that no note has is an error.""",
    ),
}

_LIST_ATTRS = {
    "list_locations": attr.string_keyed_label_dict(
        allow_files = True,
        doc = """The files that `lists` may name, by the location that the list has for them:
`{"initramfs/busybox": "@busybox"}`. In a list, `$(location LABEL)` works too. A location that is missing here is an
error, and so is one that no list names.""",
    ),
    "list_vars": attr.string_dict(
        doc = """The values of `${NAME}` in the locations of `lists`: `{"OUT": "initramfs"}`. Nothing is read from the
environment: a name that is missing here is an error.""",
    ),
    "lists": attr.label_list(
        allow_files = True,
        doc = "Lists in the format of the kernel's gen_init_cpio.",
    ),
}

_METADATA_ATTRS = {
    "metadata": attr.string_dict(
        doc = """Modes, owners and modification times of this target's own entries, including those of its `lists` and
`archives`, by path or glob: `{"/tmp": file_metadata(mode = "1777"), "/usr/bin/*": file_metadata(mode = "0755")}`. A glob
that ends with a slash matches directories only, and any other glob matches everything else. `*` and `?` do not match a
slash, `**` does. Later ones win. One that matches nothing is an error.""",
    ),
    "replaces": attr.string_list(
        doc = """Paths at which this target's entry replaces one of a layer before it, or one that the target itself gives
before: `["/etc/motd"]`. Elsewhere, equal entries of one path merge, and unequal ones are an error. A path here that replaces
nothing is an error too.""",
    ),
}

_COMPOSITION_ATTRS = {
    "layers": attr.label_list(
        doc = """Layers whose entries come before this target's own, in this order: targets of `initramfs_layer`,
`guest_init`, `pkg_layer`, or of any rule that returns `InitramfsLayerInfo`. A layer that is reached in several ways is in the
image once, in its first place.""",
        providers = [[InitramfsLayerInfo], [InitramfsInfo]],
    ),
}

LAYER_ATTRS = _COMPOSITION_ATTRS | _CONTENT_ATTRS | _ARCHIVE_ATTRS | _LIBRARY_ATTRS | _LIST_ATTRS | _METADATA_ATTRS

def _simple_entries(ctx, origin):
    """The entries that need no File."""
    return (
        [dir_entry(origin, path, attribute = "dirs") for path in ctx.attr.dirs] +
        [
            device_node_entry(origin, path, device, attribute = "device_nodes")
            for path, device in ctx.attr.device_nodes.items()
        ] +
        [pipe_entry(origin, path, attribute = "pipes") for path in ctx.attr.pipes] +
        [socket_entry(origin, path, attribute = "sockets") for path in ctx.attr.sockets] +
        [
            symlink_entry(origin, path, target, attribute = "symlinks")
            for path, target in ctx.attr.symlinks.items()
        ]
    )

def _file_mode(path, target, file):
    # The mode of a source file on disk is not part of an action's inputs.
    executable = file == target[DefaultInfo].files_to_run.executable and not file.is_source
    return "0755" if executable or path == "/init" else "0644"

def _file_entries(ctx, origin):
    entries = []
    for path, target in ctx.attr.files.items():
        where = "%s: files: %s" % (origin, path)
        file = single_file(where, target, or_executable = True, hint = ", or use trees for it")
        entries.append(file_entry(origin, path, file, mode = _file_mode(path, target, file), attribute = "files"))
        if file == target[DefaultInfo].files_to_run.executable and not file.is_source:
            entries += [
                file_entry(origin, SHARED_LIBRARY_DIRECTORY + library.basename, library, mode = "0755", attribute = "files")
                for library in target[DefaultInfo].default_runfiles.files.to_list()
                if is_shared_library(library.short_path)
            ]
    return entries

def _binary_entries(ctx, origin):
    return [
        binary_entry(
            origin,
            path,
            target,
            ctx.workspace_name,
            attribute = "binaries",
            metadata = ctx.attr.metadata.get(path),
        )
        for path, target in ctx.attr.binaries.items()
    ]

def _strip_prefix(ctx, origin, path, target):
    if path not in ctx.attr.tree_strip_prefixes:
        return "/".join([part for part in [target.label.repo_name, target.label.package] if part])
    prefix = ctx.attr.tree_strip_prefixes[path]
    if prefix:
        check_parts("%s: tree_strip_prefixes" % origin, "/" + prefix)
    return prefix

def _tree_entries(ctx, origin):
    for path in ctx.attr.tree_strip_prefixes:
        if path not in ctx.attr.trees:
            fail("%s: tree_strip_prefixes: %s is not a key of trees" % (origin, path))
    entries = []
    for path, target in ctx.attr.trees.items():
        check_files("%s: trees: %s" % (origin, path), target)
        entries.append(tree_entry(
            origin,
            path,
            target[DefaultInfo].files,
            strip_prefix = _strip_prefix(ctx, origin, path, target),
            attribute = "trees",
        ))
    return entries

def _hardlink_entries(ctx, origin):
    return [
        hardlink_entry(origin, path, file, attribute = "hardlinks")
        for path, file in ctx.attr.hardlinks.items()
    ]

def _archive_entries(ctx, origin):
    for target in ctx.attr.archives:
        check_files("%s: archives" % origin, target)
    if ctx.files.archives:
        return [archives_entry(
            origin,
            ctx.files.archives,
            prefix = ctx.attr.archive_prefix,
            excludes = ctx.attr.archive_excludes,
            includes = ctx.attr.archive_includes,
            whiteouts = ctx.attr.archive_whiteouts,
            attribute = "archive_prefix",
        )]
    if ctx.attr.archive_excludes or ctx.attr.archive_includes or ctx.attr.archive_prefix != "/":
        fail("%s: archive_prefix, archive_excludes and archive_includes are about archives, and there are none" % origin)
    return []

def _list_entries(ctx, origin):
    locations = []
    for location, target in ctx.attr.list_locations.items():
        where = "%s: list_locations: %s" % (origin, location)
        locations.append((location, single_file(where, target, or_executable = True), label_text(target.label)))
    for target in ctx.attr.lists:
        check_files("%s: lists" % origin, target)
    if ctx.files.lists:
        return [lists_entry(origin, ctx.files.lists, locations, ctx.attr.list_vars)]
    for attribute in ["list_locations", "list_vars"]:
        if getattr(ctx.attr, attribute):
            fail("%s: %s is about lists, and there are none" % (origin, attribute))
    return []

# What the name of an archive has at its end, or before the extension of a codec.
_ARCHIVE_EXTENSIONS = [".cpio", ".deb", ".tar", ".tgz", ".txz", ".tzst"]

def _is_archive(file):
    name = file.basename
    for codec in CODECS.values():
        if codec.extension and name.endswith(codec.extension):
            name = name.removesuffix(codec.extension)
            break
    return not file.is_directory and any([name.endswith(extension) for extension in _ARCHIVE_EXTENSIONS])

def _library_sources(origin, target):
    """The sources of libraries that a target is: a list of what library_source returns, and a list of depsets."""
    label = label_text(target.label)
    if InitramfsLayerInfo in target:
        layer = target[InitramfsLayerInfo]
        return [library_source(label, layer.entries, layer.files, layer.archives)], [layer.libraries]
    check_files("%s: libraries" % origin, target)
    files = target[DefaultInfo].files
    if InitramfsInfo in target:
        files = depset([target[InitramfsInfo].archive])
    archives = [file for file in files.to_list() if InitramfsInfo in target or _is_archive(file)]
    others = [file for file in files.to_list() if file not in archives] if archives else files
    sources = []
    if archives:
        entry = archives_entry(origin, archives, attribute = "libraries")
        sources.append(library_source(label, depset([entry]), depset(archives), depset(archives)))
    if others:
        others = others if type(others) == "depset" else depset(others)
        prefix = "/".join([part for part in [target.label.repo_name, target.label.package] if part])
        entry = tree_entry(origin, "/", others, strip_prefix = prefix, attribute = "libraries")
        sources.append(library_source(label, depset([entry]), others))
    return sources, []

def _library_entries(ctx, origin):
    if not ctx.attr.libraries:
        if ctx.attr.library_features or ctx.attr.library_extras:
            fail("%s: library_features and library_extras are about libraries, and there are none" % origin)
        return []
    for extra in ctx.attr.library_extras:
        if extra not in _EXTRAS:
            fail("%s: library_extras: %r is not one of %s" % (origin, extra, ", ".join(_EXTRAS)))
    direct, transitive = [], []
    for target in ctx.attr.libraries:
        sources, more = _library_sources(origin, target)
        direct += sources
        transitive += more
    return [libraries_entry(
        origin,
        depset(direct, transitive = transitive),
        dlopen = ctx.attr.library_dlopen,
        features = ctx.attr.library_features,
        extras = ctx.attr.library_extras,
        attribute = "libraries",
    )]

_EXTRAS = ["gconv", "libgcc_s", "nss"]

def _override_entries(ctx, origin):
    return [
        metadata_entry(origin, path, metadata, attribute = "metadata")
        for path, metadata in ctx.attr.metadata.items()
    ] + [
        replaces_entry(origin, path, attribute = "replaces")
        for path in ctx.attr.replaces
    ]

def layers_of(ctx):
    """Returns the layers of a target.

    Args:
        ctx: the context of a rule with LAYER_ATTRS.

    Returns:
        A list of InitramfsLayerInfo.
    """
    for target in ctx.attr.layers:
        if InitramfsLayerInfo not in target:
            fail("%s: layers: %s is an image: name it in archives, which add the content of an image" % (
                label_text(ctx.label),
                label_text(target.label),
            ))
    return [target[InitramfsLayerInfo] for target in ctx.attr.layers]

def own_entries(ctx):
    """Returns the entries of a target itself, without those of its layers.

    Args:
        ctx: the context of a rule with LAYER_ATTRS.

    Returns:
        A list of entries.
    """
    origin = label_text(ctx.label)
    return (
        _simple_entries(ctx, origin) +
        _file_entries(ctx, origin) +
        _binary_entries(ctx, origin) +
        _tree_entries(ctx, origin) +
        _hardlink_entries(ctx, origin) +
        _archive_entries(ctx, origin) +
        _list_entries(ctx, origin) +
        _library_entries(ctx, origin) +
        _override_entries(ctx, origin)
    )

def _initramfs_layer_impl(ctx):
    check_renamed(ctx, "initramfs_layer")
    info = initramfs_layer_info(own_entries(ctx), layers_of(ctx))
    return [info, DefaultInfo(files = info.files)]

initramfs_layer = rule(
    implementation = _initramfs_layer_impl,
    attrs = LAYER_ATTRS | renamed_attrs("initramfs_layer"),
    doc = """A layer: entries that images and other layers take with `layers`.

Example:

    initramfs_layer(
        name = "base",
        device_nodes = {"/dev/console": "c 5 1"},
        dirs = ["/proc", "/sys", "/tmp"],
        files = {"/etc/motd": "motd"},
        metadata = {"/tmp": file_metadata(mode = "1777")},
        symlinks = {"/bin/sh": "busybox"},
    )

Every entry is in the image or in an error. The order in the image is `layers`, `dirs`, `device_nodes`, `pipes`, `sockets`,
`symlinks`, `files`, `binaries`, `trees`, `archives`, `lists`, and what `libraries` give; a directory comes before its content.
""",
    provides = [InitramfsLayerInfo],
)
