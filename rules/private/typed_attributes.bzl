"""initramfs and initramfs_layer, with a check that Bazel does not have.

Bazel takes a dict for a list: it keeps the keys and drops the values. A rule cannot see that, so macros with the rules'
names check their arguments first.
"""

load(":initramfs.bzl", _initramfs = "initramfs")
load(":layer.bzl", "LAYER_ATTRS", _initramfs_layer = "initramfs_layer")

_LIST_TYPES = [str(attr.label_list()), str(attr.string_list())]

_LISTS = [name for name, attribute in LAYER_ATTRS.items() if str(attribute) in _LIST_TYPES] + [
    "compressor_args",
    "prepend",
]

_MODES = "; set modes with metadata = {\"/tmp\": file_metadata(mode = \"1777\")}"

def mistyped(label, attributes):
    """Finds a dict in the place of a list.

    Args:
        label: the label of the target, for the error.
        attributes: dict of the arguments of a rule.

    Returns:
        An error, or None.
    """
    for attribute in _LISTS:
        value = attributes.get(attribute)
        if type(value) == "dict":
            hint = _MODES if attribute in ("dirs", "pipes", "sockets") else ""
            return "%s: %s: want a list, got the dict %r%s" % (label, attribute, value, hint)
    return None

def _check(name, attributes):
    error = mistyped("//%s:%s" % (native.package_name(), name), attributes)
    if error:
        fail(error)

def initramfs(name, **attributes):
    """The rule `initramfs`, after a check of the types of its attributes.

    Args:
        name: the name of the target.
        **attributes: the attributes of the rule.
    """
    _check(name, attributes)
    _initramfs(name = name, **attributes)

def initramfs_layer(name, **attributes):
    """The rule `initramfs_layer`, after a check of the types of its attributes.

    Args:
        name: the name of the target.
        **attributes: the attributes of the rule.
    """
    _check(name, attributes)
    _initramfs_layer(name = name, **attributes)
