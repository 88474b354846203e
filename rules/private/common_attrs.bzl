"""The attributes that every rule has."""

# Those that a target of any kind takes, as of Bazel 7 to 9. `exec_properties` is apart: see below.
_COMMON_ATTRS = [
    "applicable_licenses",
    "aspect_hints",
    "compatible_with",
    "deprecation",
    "exec_compatible_with",
    "features",
    "package_metadata",
    "restricted_to",
    "tags",
    "target_compatible_with",
    "testonly",
    "toolchains",
    "visibility",
]

def internal_attrs(attributes, **own):
    """Returns the attributes of a target that a macro makes besides the one that the user names.

    The target has the common attributes that the user gave to the macro. It is private, and it is built when a target
    that needs it is built, not by wildcards.

    Args:
        attributes: dict of the macro's attributes. Those that are not common are left out.
        **own: what the macro decides. It takes precedence over `attributes`.

    Returns:
        A dict of attributes.
    """
    common = {name: attributes[name] for name in _COMMON_ATTRS if attributes.get(name) != None}
    properties = attributes.get("exec_properties")

    # A property with a dot is of an execution group, which only the rule has that the user calls, such as "test.Pool".
    # A select() cannot be looked into.
    if type(properties) == "dict":
        common["exec_properties"] = {name: value for name, value in properties.items() if "." not in name}
    tags = common.get("tags", [])
    return common | {
        "tags": tags + [tag for tag in ["manual"] if tag not in tags],
        "visibility": ["//visibility:private"],
    } | own
