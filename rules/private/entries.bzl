"""The entries of InitramfsLayerInfo, a constructor a kind; lines.bzl writes them down."""

load(":digits.bzl", "DECIMAL", "is_digits")

_ROOT = "0 0"

def file_entry(origin, name, file, executable, mode = None, owner = _ROOT):
    """A regular file.

    Args:
        origin: the label of the target that gives it.
        name: its path.
        file: the File that has its content.
        executable: whether it is one. The mode on disk is not asked for: it is no part of an
            input's identity.
        mode: its mode in octal digits, or None for 0755 or 0644.
        owner: its uid and gid, with a blank between.

    Returns:
        An entry.
    """
    mode = mode or ("0755" if executable else "0644")
    return struct(kind = "file", name = name, origin = origin, file = file, mode = mode, owner = owner)

def tree_entry(origin, name, files, strip, mode = "0644", owner = _ROOT):
    """Files below a path.

    Args:
        origin: the label of the target that gives them.
        name: the path, or "" for the root.
        files: depset of File: files and tree artifacts, whose own content lies below the path.
        strip: the beginning of the files' short_path that is left out, with a slash at its end, or "".
        mode: the files' mode in octal digits.
        owner: their uid and gid, with a blank between.

    Returns:
        An entry.
    """
    return struct(kind = "tree", name = name, origin = origin, files = files, strip = strip, mode = mode, owner = owner)

def binary_entry(origin, name, target, workspace):
    """An executable, and its runfiles beside it.

    Args:
        origin: the label of the target that gives it.
        name: its path.
        target: the executable's target.
        workspace: the name of the main repository.

    Returns:
        An entry.
    """
    default = target[DefaultInfo]
    runfiles = default.default_runfiles
    return struct(
        kind = "binary",
        name = name,
        origin = origin,
        file = default.files_to_run.executable,
        files = runfiles.files,
        empty = runfiles.empty_filenames,
        symlinks = runfiles.symlinks,
        root_symlinks = runfiles.root_symlinks,
        repo_mapping = getattr(default.files_to_run, "repo_mapping_manifest", None),
        workspace = workspace,
    )

def dir_entry(origin, name, mode = "0755", owner = _ROOT):
    """A directory."""
    return struct(kind = "dir", name = name, origin = origin, mode = mode, owner = owner)

def symlink_entry(origin, name, target, owner = _ROOT):
    """A symbolic link to a target, which may be any text."""
    return struct(kind = "slink", name = name, origin = origin, target = target, owner = owner)

def hardlink_entry(origin, name, file):
    """Another name of a file of the same target, whose path is file."""
    return struct(kind = "hardlink", name = name, origin = origin, file = file)

def pipe_entry(origin, name):
    """A named pipe."""
    return struct(kind = "pipe", name = name, origin = origin)

def socket_entry(origin, name):
    """A socket."""
    return struct(kind = "sock", name = name, origin = origin)

def node_entry(origin, name, device):
    """A device node.

    Args:
        origin: the label of the target that gives it.
        name: its path.
        device: its type and numbers, as in a list: "c 5 1" or "b 7 0".

    Returns:
        An entry.
    """
    parts = device.split(" ")
    if len(parts) != 3 or parts[0] not in ("b", "c") or not is_digits(parts[1], DECIMAL) or not is_digits(parts[2], DECIMAL):
        fail("%s: nodes: %s: %r is not a device: want \"c MAJOR MINOR\" or \"b MAJOR MINOR\", such as \"c 5 1\"" % (origin, name, device))
    return struct(kind = "nod", name = name, origin = origin, device = device)

def lists_entry(origin, lists, data, vars):
    """Lists in the kernel's format.

    Args:
        origin: the label of the target that gives them.
        lists: list of File.
        data: list of (location, File, label as text).
        vars: dict of what ${NAME} stands for in locations.

    Returns:
        An entry.
    """
    return struct(kind = "lists", origin = origin, lists = tuple(lists), data = tuple(data), vars = tuple(vars.items()))

def archives_entry(origin, archives, prefix, excludes):
    """What is in archives.

    Args:
        origin: the label of the target that gives them.
        archives: list of File: cpio or tar, compressed or not.
        prefix: the path that it goes below, or "/".
        excludes: list of globs of paths to leave out.

    Returns:
        An entry.
    """
    return struct(kind = "archives", origin = origin, archives = tuple(archives), prefix = prefix, excludes = tuple(excludes))

def metadata_entry(origin, name, fields):
    """An override of what entries of the same target have.

    Args:
        origin: the label of the target that gives it.
        name: a path or a glob.
        fields: what entry() gives.

    Returns:
        An entry.
    """
    return struct(kind = "metadata", name = name, origin = origin, fields = fields)

def replaces_entry(origin, name):
    """The permission to replace an entry of a target before."""
    return struct(kind = "replaces", name = name, origin = origin)
