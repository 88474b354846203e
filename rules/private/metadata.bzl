"""The values of the attribute metadata."""

load(":digits.bzl", "DECIMAL", "OCTAL", "is_digits")

_FIELDS = ["mode", "uid", "gid", "mtime"]

def entry_fault(fields):
    """What is wrong with the arguments of entry().

    Args:
        fields: dict of mode, uid, gid or mtime to the argument.

    Returns:
        A message, or None.
    """
    for field, value in fields.items():
        if field == "mode":
            if type(value) != "string" or not is_digits(value, OCTAL) or int(value, 8) > 0o7777:
                return "entry(mode = %r): want a string of octal digits up to \"7777\", such as \"0755\"" % (value,)
        elif type(value) != "int" or value < 0 or value > 0xffffffff:
            return "entry(%s = %r): want a number from 0 to 4294967295" % (field, value)
    return None if fields else "entry() says nothing: give it a mode, a uid, a gid or an mtime"

def entry(*, mode = None, uid = None, gid = None, mtime = None):
    """Says who owns an entry, what may be done with it and how old it is, in `metadata`.

    What is not given stays as it is.

    Example:

        metadata = {
            "/tmp": entry(mode = "1777"),
            "/etc/shadow": entry(mode = "0600", gid = 42),
            "/usr/bin/*": entry(mode = "0755"),
        }

    Args:
        mode: the permissions, as a string of octal digits: "0755".
        uid: the user that owns the entry, a number.
        gid: the group that owns the entry, a number.
        mtime: its time, in seconds since 1970-01-01 00:00:00 UTC.

    Returns:
        A value of `metadata`.
    """
    arguments = [("mode", mode), ("uid", uid), ("gid", gid), ("mtime", mtime)]
    fields = {field: value for field, value in arguments if value != None}
    fault = entry_fault(fields)
    if fault:
        fail(fault)
    return " ".join(["%s=%s" % item for item in fields.items()])

def check_fields(origin, path, fields):
    """Fails unless a value of metadata is what entry() gives.

    Args:
        origin: the target's label.
        path: the key of metadata.
        fields: its value.
    """
    for field in fields.split(" "):
        key, _, text = field.partition("=")
        good = is_digits(text, OCTAL if key == "mode" else DECIMAL)
        if key not in _FIELDS or not good or entry_fault({key: text if key == "mode" else int(text)}):
            fail("%s: metadata: %s: %r is not what entry() gives: write entry(mode = \"0755\")" % (origin, path, fields))
