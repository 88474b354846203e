"""The entries of InitramfsLayerInfo: a constructor for each kind. lines.bzl writes them to the packer's list."""

load(":digits.bzl", "DECIMAL", "is_digits")
load(":file_metadata.bzl", "metadata_fields", "mode_text", "owner_text")
load(":paths.bzl", "check_directory_path", "check_path", "label_text")
load(":repo_mapping.bzl", "repo_mapping")

def _origin(label):
    return label if type(label) == "string" else label_text(label)

def _where(origin, attribute, path = None):
    """The beginning of an error: "//x:y: files: /a", as far as it is known."""
    return ": ".join([part for part in [_origin(origin), attribute, path] if part])

def _entry(kind, origin, path, attribute, **fields):
    check_path(_where(origin, attribute), path)
    return struct(kind = kind, name = path, origin = _origin(origin), attribute = attribute, **fields)

def _plain_entry(kind, origin, path, attribute, rest):
    """An entry that is one line of the list: the kind, the path, and rest, which needs no escapes."""
    return _entry(kind, origin, path, attribute, rest = rest)

def _owned_entry(kind, origin, path, attribute, uid, gid, **fields):
    owner = owner_text(_where(origin, attribute, path), uid, gid)
    return _entry(kind, origin, path, attribute, owner = owner, **fields)

def file_entry(origin, path, file, *, mode = "0644", uid = 0, gid = 0, attribute = None):
    """Adds a regular file.

    Args:
        origin: the Label of the target that the entry comes from, which errors and lists name.
        path: the absolute path in the image.
        file: the File whose content it has. Its mode on disk does not count, because it is not part of an
            action's inputs.
        mode: the permissions, a string of octal digits from "0" to "7777".
        uid: the ID of the user who owns it.
        gid: the ID of the group that owns it.
        attribute: the attribute that the entry comes from, which errors name.

    Returns:
        An entry.
    """
    mode = mode_text(_where(origin, attribute, path), mode)
    return _owned_entry("file", origin, path, attribute, uid, gid, file = file, mode = mode)

def dir_entry(origin, path, *, mode = "0755", uid = 0, gid = 0, attribute = None):
    """Adds a directory. Parent directories of entries are added without being named.

    Args:
        origin: the Label of the target that the entry comes from.
        path: the absolute path in the image.
        mode: the permissions, a string of octal digits from "0" to "7777".
        uid: the ID of the user who owns it.
        gid: the ID of the group that owns it.
        attribute: the attribute that the entry comes from, which errors name.

    Returns:
        An entry.
    """
    where = _where(origin, attribute, path)
    rest = "%s %s" % (mode_text(where, mode), owner_text(where, uid, gid))
    return _plain_entry("dir", origin, path, attribute, rest)

def symlink_entry(origin, path, target, *, uid = 0, gid = 0, attribute = None):
    """Adds a symbolic link.

    Args:
        origin: the Label of the target that the entry comes from.
        path: the absolute path in the image.
        target: what the link points to: any text that is not empty.
        uid: the ID of the user who owns it.
        gid: the ID of the group that owns it.
        attribute: the attribute that the entry comes from, which errors name.

    Returns:
        An entry.
    """
    if not target:
        fail("%s: the symbolic link has no target" % _where(origin, attribute, path))
    return _owned_entry("slink", origin, path, attribute, uid, gid, target = target)

def hardlink_entry(origin, path, file, *, attribute = None):
    """Adds another name of a regular file that has the same origin.

    Args:
        origin: the Label of the target that the entry comes from.
        path: the absolute path in the image.
        file: the absolute path of the file in the image.
        attribute: the attribute that the entry comes from, which errors name.

    Returns:
        An entry.
    """
    check_path(_where(origin, attribute), file)
    return _entry("hardlink", origin, path, attribute, file = file)

def device_node_entry(origin, path, device, *, attribute = None):
    """Adds a device node, mode 0600.

    Args:
        origin: the Label of the target that the entry comes from.
        path: the absolute path in the image.
        device: the type and the numbers: "c MAJOR MINOR" for a character device, "b MAJOR MINOR" for a block
            device, such as "c 5 1".
        attribute: the attribute that the entry comes from, which errors name.

    Returns:
        An entry.
    """
    parts = device.split(" ")
    if len(parts) != 3 or parts[0] not in ("b", "c") or not is_digits(parts[1], DECIMAL) or not is_digits(parts[2], DECIMAL):
        fail("%s: %r is not a device: want \"c MAJOR MINOR\" or \"b MAJOR MINOR\", such as \"c 5 1\"" % (
            _where(origin, attribute, path),
            device,
        ))
    return _plain_entry("nod", origin, path, attribute, "0600 0 0 " + device)

def pipe_entry(origin, path, *, attribute = None):
    """Adds a named pipe, mode 0644.

    Args:
        origin: the Label of the target that the entry comes from.
        path: the absolute path in the image.
        attribute: the attribute that the entry comes from, which errors name.

    Returns:
        An entry.
    """
    return _plain_entry("pipe", origin, path, attribute, "0644 0 0")

def socket_entry(origin, path, *, attribute = None):
    """Adds a socket, mode 0644.

    Args:
        origin: the Label of the target that the entry comes from.
        path: the absolute path in the image.
        attribute: the attribute that the entry comes from, which errors name.

    Returns:
        An entry.
    """
    return _plain_entry("sock", origin, path, attribute, "0644 0 0")

def tree_entry(origin, path, files, *, strip_prefix = "", mode = "0644", uid = 0, gid = 0, attribute = None):
    """Adds any number of regular files below a path.

    Args:
        origin: the Label of the target that the entries come from.
        path: the absolute path in the image, which may be "/".
        files: depset of File. The content of a tree artifact goes below the path. If it has no files, packing
            fails.
        strip_prefix: the directory that is left out at the beginning of each file's path, without a slash at the end:
            relative to the workspace, as in short paths, or to the file's repository. Tree artifacts have none.
        mode: the permissions of the files, a string of octal digits from "0" to "7777".
        uid: the ID of the user who owns them.
        gid: the ID of the group that owns them.
        attribute: the attribute that the entries come from, which errors name.

    Returns:
        An entry.
    """
    check_directory_path(_where(origin, attribute), path)
    where = _where(origin, attribute, path)
    return struct(
        kind = "tree",
        attribute = attribute,
        name = "" if path == "/" else path,
        origin = _origin(origin),
        files = files,
        strip = strip_prefix + "/" if strip_prefix else "",
        mode = mode_text(where, mode),
        owner = owner_text(where, uid, gid),
    )

def binary_entry(origin, path, target, workspace_name, *, metadata = None, attribute = None):
    """Adds an executable, mode 0755, with its runfiles in PATH.runfiles.

    Args:
        origin: the Label of the target that the entries come from.
        path: the absolute path in the image.
        target: the executable's target. If it may be a filegroup of the program, add the aspect `repo_mapping_aspect`
            to the attribute; otherwise the image has no _repo_mapping for the program.
        workspace_name: ctx.workspace_name.
        metadata: what `file_metadata` returns, for the program itself: its path may be a symbolic link to it.
        attribute: the attribute that the entries come from, which errors name.

    Returns:
        An entry.
    """
    default = target[DefaultInfo]
    if not default.files_to_run.executable:
        fail("%s: %s is not executable: use files for it" % (_where(origin, attribute, path), label_text(target.label)))
    runfiles = default.default_runfiles
    return _entry(
        "binary",
        origin,
        path,
        attribute,
        fields = metadata_fields(_where(origin, "metadata", path), metadata) if metadata else "",
        file = default.files_to_run.executable,
        files = runfiles.files,
        empty = runfiles.empty_filenames,
        symlinks = runfiles.symlinks,
        root_symlinks = runfiles.root_symlinks,
        repo_mapping = repo_mapping(target),
        workspace = workspace_name,
    )

def archives_entry(origin, archives, *, prefix = "/", excludes = [], includes = [], whiteouts = "error", attribute = None):
    """Adds the content of archives, with its modes, owners, devices and hard links.

    Args:
        origin: the Label of the target that the entries come from.
        archives: list of File: cpio or tar archives, compressed or not, or Debian packages.
        prefix: the absolute path that the content goes below.
        excludes: list of globs of paths to leave out, prefix included.
        includes: list of globs of paths to take, prefix included; all if it is empty.
        whiteouts: what to do with whiteouts: "error", "apply" or "keep".
        attribute: the attribute that the prefix comes from, which errors name.

    Returns:
        An entry.
    """
    check_directory_path(_where(origin, attribute), prefix)
    return struct(
        kind = "archives",
        origin = _origin(origin),
        archives = tuple(archives),
        prefix = prefix,
        excludes = tuple(excludes),
        includes = tuple(includes),
        whiteouts = whiteouts,
    )

def library_source(label, entries, files, archives = depset()):
    """Makes a source for libraries_entry.

    Args:
        label: what users call it, as text.
        entries: depset of entries.
        files: depset of File: everything that the entries need.
        archives: depset of File: those of them that are archives.

    Returns:
        A struct.
    """
    return struct(label = label, entries = entries, files = files, archives = archives)

def libraries_entry(origin, sources, *, dlopen, features, extras, attribute = None):
    """Adds what the programs with the same origin need at run time.

    Args:
        origin: the Label of the target whose programs it is about.
        sources: depset of what library_source returns.
        dlopen: the least priority of what programs load by dlopen: "none", "required", "recommended" or "suggested".
        features: list of features to load for whatever their priority; with "-" in front, not to load for.
        extras: list of what the GNU C library loads by itself: "gconv", "libgcc_s", "nss".
        attribute: the attribute that the sources come from, which errors name.

    Returns:
        An entry.
    """
    all_sources = sources.to_list()
    return struct(
        kind = "libraries",
        attribute = attribute,
        origin = _origin(origin),
        sources = sources,
        archives = depset(transitive = [source.archives for source in all_sources]),
        files = depset(transitive = [source.files for source in all_sources]),
        dlopen = dlopen,
        features = tuple(features),
        extras = tuple(extras),
    )

def lists_entry(origin, lists, locations, variables):
    """Adds the entries of lists in the kernel's format.

    Args:
        origin: the label of the target that the entries come from.
        lists: list of File.
        locations: list of (location, File, label as text).
        variables: dict of a name to the value of ${NAME} in locations.

    Returns:
        An entry.
    """
    return struct(
        kind = "lists",
        origin = _origin(origin),
        lists = tuple(lists),
        data = tuple(locations),
        vars = tuple(variables.items()),
    )

def metadata_entry(origin, path, metadata, *, attribute = None):
    """Changes the mode, owner or time of entries that have the same origin.

    Args:
        origin: the Label of the target that the entries come from.
        path: an absolute path or a glob. A glob that ends with a slash matches directories only, and any other glob
            matches everything else.
        metadata: what `file_metadata` returns.
        attribute: the attribute that this comes from, which errors name.

    Returns:
        An entry.
    """
    check_directory_path(_where(origin, attribute), path.removesuffix("/") or "/")
    fields = metadata_fields(_where(origin, attribute, path), metadata)
    return struct(kind = "metadata", name = path, origin = _origin(origin), fields = fields)

def modules_entry(origin, catalog):
    """Says which kernel modules the entries with the same origin have, so that the indexes of several layers merge.

    Args:
        origin: the Label of the target that has the modules.
        catalog: File: what packer modules --write-layer-catalog has written.

    Returns:
        An entry.
    """
    return struct(kind = "modules", origin = _origin(origin), catalog = catalog)

def replaces_entry(origin, path, *, attribute = None):
    """Allows an entry with the same origin to replace one of a layer before it.

    Args:
        origin: the Label of the target that the entries come from.
        path: the absolute path in the image.
        attribute: the attribute that this comes from, which errors name.

    Returns:
        An entry.
    """
    check_directory_path(_where(origin, attribute), path)
    return struct(kind = "replaces", name = path, origin = _origin(origin))

def _binary_inputs(entry):
    direct = [entry.file] + ([entry.repo_mapping] if entry.repo_mapping else [])
    for links in [entry.symlinks, entry.root_symlinks]:
        if links:
            direct += [link.target_file for link in links.to_list()]
    return direct, [entry.files]

# The files that a kind of entry needs to be packed: a list of File, and a list of depset of File.
_INPUTS = {
    "archives": lambda entry: (list(entry.archives), []),
    "binary": _binary_inputs,
    "file": lambda entry: ([entry.file], []),
    "libraries": lambda entry: ([], [entry.files]),
    "lists": lambda entry: ([file for _, file, _ in entry.data] + list(entry.lists), []),
    "modules": lambda entry: ([entry.catalog], []),
    "tree": lambda entry: ([], [entry.files]),
}

def entry_inputs(entry):
    """Returns the files that an entry needs to be packed.

    Args:
        entry: an entry.

    Returns:
        A list of File, and a list of depset of File.
    """
    return _INPUTS[entry.kind](entry) if entry.kind in _INPUTS else ([], [])
