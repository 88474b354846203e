"""Entries of a layer, and the lines of the list that the packer reads for them."""

_OCTAL = "01234567"

def _is_digits(text, digits):
    return bool(text) and not [c for c in text.elems() if c not in digits]

def _check_mode(mode):
    if type(mode) != "string" or not _is_digits(mode, _OCTAL) or int(mode, 8) > 0o7777:
        fail("entry(mode = %r): want a string of octal digits up to \"7777\", such as \"0755\"" % (mode,))

def _check_id(field, value):
    if type(value) != "int" or value < 0 or value > 0xffffffff:
        fail("entry(%s = %r): want a number from 0 to 4294967295" % (field, value))

def entry(*, mode = None, uid = None, gid = None):
    """Says who owns an entry and what may be done with it, in `metadata`.

    What is not given stays as it is.

    Example:

        metadata = {
            "/tmp": entry(mode = "1777"),
            "/etc/shadow": entry(mode = "0600", gid = 42),
        }

    Args:
        mode: the permissions, as a string of octal digits: "0755".
        uid: the user that owns the entry, a number.
        gid: the group that owns the entry, a number.

    Returns:
        A value of `metadata`.
    """
    fields = []
    if mode != None:
        _check_mode(mode)
        fields.append("mode=" + mode)
    if uid != None:
        _check_id("uid", uid)
        fields.append("uid=%d" % uid)
    if gid != None:
        _check_id("gid", gid)
        fields.append("gid=%d" % gid)
    if not fields:
        fail("entry() says nothing: give it a mode, a uid or a gid")
    return " ".join(fields)

def check_path(label, attribute, path):
    """Fails unless a path is one that an entry can have.

    Args:
        label: the target's label.
        attribute: the attribute that has the path.
        path: the path.
    """
    if not path.startswith("/"):
        fail("%s: %s: %r is not absolute: write %r" % (label, attribute, path, "/" + path))
    if path == "/":
        fail("%s: %s: / is there already and cannot be given" % (label, attribute))
    for part in path[1:].split("/"):
        if part in ("", ".", ".."):
            fail("%s: %s: %r has an empty, . or .. part: write the path without it" % (label, attribute, path))

def file_entry(origin, name, file, executable):
    """A regular file with the content of a File."""
    return struct(
        kind = "file",
        name = name,
        origin = origin,
        file = file,
        # The mode on disk is not asked for: it is no part of an input's identity.
        mode = "0755" if executable else "0644",
    )

def dir_entry(origin, name):
    """A directory."""
    return struct(kind = "dir", name = name, origin = origin)

def symlink_entry(origin, name, target):
    """A symbolic link to a target, which may be any text."""
    return struct(kind = "slink", name = name, origin = origin, target = target)

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
    if len(parts) != 3 or parts[0] not in ("b", "c") or not _is_digits(parts[1], "0123456789") or not _is_digits(parts[2], "0123456789"):
        fail("%s: nodes: %s: %r is not a device: want \"c MAJOR MINOR\" or \"b MAJOR MINOR\", such as \"c 5 1\"" % (origin, name, device))
    return struct(kind = "nod", name = name, origin = origin, device = device)

def lists_entry(origin, lists, data):
    """Lists in the kernel's format; data is a dict of location to File."""
    return struct(kind = "lists", origin = origin, lists = tuple(lists), data = tuple(data.items()))

def metadata_entry(origin, name, fields):
    """An override of what an entry of the same target has; fields is what entry() gives."""
    return struct(kind = "metadata", name = name, origin = origin, fields = fields)

_ESCAPES = [("\\", "\\134"), (" ", "\\040"), ("\t", "\\011"), ("\n", "\\012"), ("\v", "\\013"), ("\f", "\\014"), ("\r", "\\015")]

def _escape(text):
    for char, code in _ESCAPES:
        text = text.replace(char, code)
    return text

def _escape_location(text):
    return _escape(text).replace("${", "\\044{")

def list_lines(e):
    """The lines of the generated list for an entry: a map_each callback of Args.

    Args:
        e: an entry of InitramfsLayerInfo.entries.

    Returns:
        The lines, the first of which says where the entry comes from.
    """
    lines = ["#: origin " + _escape(e.origin)]
    if e.kind == "file":
        lines.append("file %s %s %s 0 0" % (_escape(e.name), _escape_location(e.file.path), e.mode))
    elif e.kind == "dir":
        lines.append("dir %s 0755 0 0" % _escape(e.name))
    elif e.kind == "slink":
        lines.append("slink %s %s 0777 0 0" % (_escape(e.name), _escape(e.target)))
    elif e.kind == "nod":
        lines.append("nod %s 0600 0 0 %s" % (_escape(e.name), e.device))
    elif e.kind == "lists":
        lines += ["#: data %s %s" % (_escape(key), _escape(file.path)) for key, file in e.data]
        lines += ["#: list " + _escape(file.path) for file in e.lists]
    elif e.kind == "metadata":
        lines.append("#: metadata %s %s" % (_escape(e.name), e.fields))
    else:
        fail("%s: unknown kind of entry %r" % (e.origin, e.kind))
    return lines
