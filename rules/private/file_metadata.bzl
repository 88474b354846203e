"""file_metadata(): modes, owners and times of entries, and the one place that checks them."""

load(":digits.bzl", "OCTAL", "is_digits")

_FIELDS = ["mode", "uid", "gid", "mtime"]

def file_metadata(*, mode = None, uid = None, gid = None, mtime = None):
    """Sets the mode, owner or modification time of entries, as a value of the attribute `metadata`.

    What is not given stays as it is.

    Example:

        metadata = {
            "/tmp": file_metadata(mode = "1777"),
            "/etc/shadow": file_metadata(mode = "0600", gid = 42),
            "/usr/bin/*": file_metadata(mode = "0755"),
        }

    Args:
        mode: the permissions, a string of octal digits from "0" to "7777", such as "0755".
        uid: the ID of the user who owns the entry, from 0 to 4294967295.
        gid: the ID of the group that owns the entry, from 0 to 4294967295.
        mtime: the modification time, in seconds since 1970-01-01 00:00:00 UTC, from 0 to 4294967295.

    Returns:
        A value of `metadata`.
    """
    arguments = [("mode", mode), ("uid", uid), ("gid", gid), ("mtime", mtime)]

    # An attribute holds strings only. JSON keeps the types, so that 0o644 is not taken for "420".
    return json.encode({field: value for field, value in arguments if value != None})

# What entry() returns: the target that uses it fails, and the error has its label.
_RENAMED = "entry()"

def entry(**_kwargs):
    """Renamed to `file_metadata`.

    Args:
        **_kwargs: the arguments of file_metadata.

    Returns:
        A value that `metadata` does not accept.
    """
    return _RENAMED

def _check_field(where, field, value):
    if field == "mode":
        if type(value) != "string" or not is_digits(value, OCTAL) or int(value, 8) > 0o7777:
            fail("%s: mode = %r: want a string of octal digits up to \"7777\", such as \"0755\"" % (where, value))
    elif type(value) != "int" or value < 0 or value > 0xffffffff:
        fail("%s: %s = %r: want a number from 0 to 4294967295" % (where, field, value))

def metadata_fields(where, metadata):
    """Checks a value of the attribute metadata.

    Args:
        where: the label, attribute and path, for errors.
        metadata: what file_metadata() returned.

    Returns:
        The fields as the packer's list has them: "mode=0755 uid=0".
    """
    if metadata == _RENAMED:
        fail("%s: entry() was renamed to file_metadata()" % where)
    fields = json.decode(metadata, None)
    if type(fields) != "dict" or [field for field in fields if field not in _FIELDS]:
        fail("%s: %r does not come from file_metadata(): write file_metadata(mode = \"0755\")" % (where, metadata))
    if not fields:
        fail("%s: file_metadata() sets nothing: give it a mode, uid, gid or mtime" % where)
    for field, value in fields.items():
        _check_field(where, field, value)
    return " ".join(["%s=%s" % (field, fields[field]) for field in _FIELDS if field in fields])

def owner_text(where, uid, gid):
    """Checks the owner of an entry.

    Args:
        where: the label, attribute and path, for errors.
        uid: a user ID.
        gid: a group ID.

    Returns:
        Both, as a list has them: "0 0".
    """
    _check_field(where, "uid", uid)
    _check_field(where, "gid", gid)
    return "%d %d" % (uid, gid)

def mode_text(where, mode):
    """Checks the mode of an entry.

    Args:
        where: the label, attribute and path, for errors.
        mode: a string of octal digits.

    Returns:
        The mode.
    """
    _check_field(where, "mode", mode)
    return mode
