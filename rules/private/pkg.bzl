"""pkg_layer: what rules_pkg's mapping rules say, as a layer."""

load(
    "@rules_pkg//pkg:providers.bzl",
    "PackageDirsInfo",
    "PackageFilegroupInfo",
    "PackageFilesInfo",
    "PackageSymlinkInfo",
)
load(":digits.bzl", "DECIMAL", "OCTAL", "is_digits")
load(":entries.bzl", "dir_entry", "file_entry", "symlink_entry", "tree_entry")
load(":paths.bzl", "label_text")
load(":providers.bzl", "InitramfsLayerInfo")

# Attributes that say nothing of what is in an archive.
_IGNORED = ["gid", "group", "mode", "uid", "user"]

def _owner(origin, attributes):
    """The uid and gid that attributes say, as in a list."""
    numbers = []
    for number, name in [("uid", "user"), ("gid", "group")]:
        value = attributes.get(number)
        if value == None:
            text = attributes.get(name) or "root"
            if text != "root" and not is_digits(text, DECIMAL):
                fail("%s: %s %r has no number in an archive: give pkg_attributes a %s too" % (origin, name, text, number))
            value = 0 if text == "root" else int(text)
        numbers.append(str(value))
    return " ".join(numbers)

def _attributes(origin, attributes):
    """The mode or None, and the owner."""
    for name in attributes:
        if name not in _IGNORED:
            fail("%s: the attribute %r cannot be kept: an initramfs has modes, owners and times only" % (origin, name))
    mode = attributes.get("mode") or None
    if mode and (not is_digits(mode, OCTAL) or int(mode, 8) > 0o7777):
        fail("%s: the mode %r is not octal digits up to 7777" % (origin, mode))
    return mode, _owner(origin, attributes)

def _path(origin, path):
    """The absolute path of a destination, or "" for the root."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        fail("%s: the destination %r leads out of the image" % (origin, path))
    return "".join(["/" + part for part in parts])

def _file_entries(info, origin):
    mode, owner = _attributes(origin, info.attributes)
    entries = []
    for destination, file in info.dest_src_map.items():
        path = _path(origin, destination)
        if file.is_directory:
            entries.append(tree_entry(origin, path, depset([file]), "", mode = mode or "0644", owner = owner))
        elif not path:
            fail("%s: %s has no destination" % (origin, file.short_path))
        else:
            entries.append(file_entry(origin, path, file, executable = False, mode = mode, owner = owner))
    return entries

def _dir_entries(info, origin):
    mode, owner = _attributes(origin, info.attributes)
    return [
        dir_entry(origin, _path(origin, path), mode = mode or "0755", owner = owner)
        for path in info.dirs
        if _path(origin, path)
    ]

def _symlink_entries(info, origin):
    _, owner = _attributes(origin, info.attributes)
    if type(info.target) != "string" or not info.target:
        fail("%s: the symbolic link %s leads to no path" % (origin, info.destination))
    return [symlink_entry(origin, _path(origin, info.destination), info.target, owner = owner)]

def _entries(target):
    """The entries of a target, with the labels of those that say them."""
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
    files = depset(transitive = [target[DefaultInfo].files for target in ctx.attr.srcs])
    return [
        DefaultInfo(files = files),
        InitramfsLayerInfo(archives = depset(), entries = depset(entries, order = "postorder"), files = files),
    ]

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
    doc = """A layer of what rules_pkg's mapping rules say: destinations, modes and owners.

Example:

    load("@rules_initramfs//rules:pkg.bzl", "pkg_layer")

    pkg_layer(
        name = "base",
        srcs = [":files"],  # a pkg_filegroup
    )

An owner is a number in an archive: `root` is 0; for other names pkg_attributes takes uid and gid.
What an archive cannot keep, such as xattrs, is an error.
""",
    provides = [InitramfsLayerInfo],
)
