"""pkg_layer: a layer from the mapping rules of rules_pkg."""

load(
    "@rules_pkg//pkg:providers.bzl",
    "PackageDirsInfo",
    "PackageFilegroupInfo",
    "PackageFilesInfo",
    "PackageSymlinkInfo",
)
load(":digits.bzl", "DECIMAL", "is_digits")
load(":entries.bzl", "dir_entry", "file_entry", "symlink_entry", "tree_entry")
load(":layer_info.bzl", "initramfs_layer_info")
load(":paths.bzl", "label_text")
load(":providers.bzl", "InitramfsLayerInfo")

_ATTRIBUTES = ["gid", "group", "mode", "uid", "user"]

def _owner(origin, attributes):
    """The uid and gid of an entry, as keyword arguments of its constructor."""
    owner = {}
    for number, name in [("uid", "user"), ("gid", "group")]:
        owner[number] = attributes.get(number)
        if owner[number] == None:
            text = attributes.get(name) or "root"
            if text != "root" and not is_digits(text, DECIMAL):
                fail("%s: %s %r has no number, and an archive has numbers only: set %s in pkg_attributes" % (origin, name, text, number))
            owner[number] = 0 if text == "root" else int(text)
    return owner

def _metadata(origin, attributes):
    """The mode, if there is one, and the owner of an entry, as keyword arguments of its constructor."""
    for name in attributes:
        if name not in _ATTRIBUTES:
            fail("%s: the attribute %r cannot be kept: an initramfs has modes, owners and times only" % (origin, name))
    mode = {"mode": attributes["mode"]} if attributes.get("mode") else {}
    return mode | _owner(origin, attributes)

def _path(origin, path):
    """The absolute path of a destination."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        fail("%s: the destination %r is outside of the image" % (origin, path))
    return "/" + "/".join(parts)

def _file_entries(info, origin):
    metadata = _metadata(origin, info.attributes)
    entries = []
    for destination, file in info.dest_src_map.items():
        path = _path(origin, destination)
        if file.is_directory:
            entries.append(tree_entry(origin, path, depset([file]), **metadata))
        elif path == "/":
            fail("%s: %s has no destination" % (origin, file.short_path))
        else:
            entries.append(file_entry(origin, path, file, **metadata))
    return entries

def _dir_entries(info, origin):
    metadata = _metadata(origin, info.attributes)
    paths = [_path(origin, path) for path in info.dirs]
    return [dir_entry(origin, path, **metadata) for path in paths if path != "/"]

def _symlink_entries(info, origin):
    _metadata(origin, info.attributes)
    if type(info.target) != "string" or not info.target:
        fail("%s: the symbolic link %s has no target" % (origin, info.destination))
    return [symlink_entry(origin, _path(origin, info.destination), info.target, **_owner(origin, info.attributes))]

def _entries(target):
    """The entries of a target, with the labels of the rules that they come from."""
    entries = []
    origin = label_text(target.label)
    if PackageFilegroupInfo in target:
        group = target[PackageFilegroupInfo]
        for info, label in group.pkg_dirs:
            entries += _dir_entries(info, label_text(label))
        for info, label in group.pkg_symlinks:
            entries += _symlink_entries(info, label_text(label))
        for info, label in group.pkg_files:
            entries += _file_entries(info, label_text(label))
    if PackageDirsInfo in target:
        entries += _dir_entries(target[PackageDirsInfo], origin)
    if PackageSymlinkInfo in target:
        entries += _symlink_entries(target[PackageSymlinkInfo], origin)
    if PackageFilesInfo in target:
        entries += _file_entries(target[PackageFilesInfo], origin)
    return entries

def _pkg_layer_impl(ctx):
    entries = []
    for target in ctx.attr.srcs:
        entries += _entries(target)
    info = initramfs_layer_info(entries)
    return [info, DefaultInfo(files = info.files)]

pkg_layer = rule(
    implementation = _pkg_layer_impl,
    attrs = {
        "srcs": attr.label_list(
            doc = "Targets of pkg_files, pkg_mkdirs, pkg_mklink and pkg_filegroup.",
            mandatory = True,
            providers = [
                [PackageFilegroupInfo],
                [PackageFilesInfo],
                [PackageDirsInfo],
                [PackageSymlinkInfo],
            ],
        ),
    },
    doc = """A layer from the mapping rules of rules_pkg, with their destinations, modes and owners.

Example:

    load("@rules_initramfs//rules:pkg.bzl", "pkg_layer")

    pkg_layer(
        name = "base",
        srcs = [":files"],  # a pkg_filegroup
    )

An archive has numbers for owners: `root` is 0; for other users and groups, set uid and gid in pkg_attributes. Attributes
that an archive cannot keep, such as xattrs, are an error.
""",
    provides = [InitramfsLayerInfo],
)
