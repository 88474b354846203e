"""Attributes that were renamed.

The old names are still declared, because Bazel cannot say what an unknown attribute is called now. A target that
sets one fails at analysis with the new name. The generated reference leaves these attributes out: their
documentation begins with "Renamed to".
"""

load(":paths.bzl", "label_text")

_IMAGES = ["initramfs", "initramfs_layer"]
_BOOTS = ["boot", "boot_test", "guest_test"]

def _rename(rules, old, new, attribute, note = "", **options):
    return struct(rules = rules, old = old, new = new, attribute = attribute, note = note, options = options)

# The labels of old attributes may be files, so that the error is about the name and not about the value.
_RENAMES = [
    _rename(_IMAGES, "data", "list_locations", attr.string_keyed_label_dict, allow_files = True),
    _rename(_IMAGES, "nodes", "device_nodes", attr.string_dict),
    _rename(_IMAGES, "srcs", "layers", attr.label_list, allow_files = True),
    _rename(_IMAGES, "vars", "list_vars", attr.string_dict),
    _rename(["initramfs"], "level", "compression_level", attr.int),
    _rename(["initramfs"], "segments", "split", attr.string, note = ": \"auto\" is now \"size\", and \"one\" is now \"none\""),
    _rename(_BOOTS, "allow", "allow_failures", attr.string_list),
    _rename(_BOOTS, "append", "kernel_args", attr.string_list),
    _rename(_BOOTS, "cmdline", "kernel_cmdline", attr.string_list),
]

def renamed_attrs(rule_name):
    """Declares the old names of a rule's attributes.

    Args:
        rule_name: the rule's name, such as "initramfs".

    Returns:
        A dict of attributes.
    """
    return {
        row.old: row.attribute(doc = "Renamed to `%s`." % row.new, **row.options)
        for row in _RENAMES
        if rule_name in row.rules
    }

def check_renamed(ctx, rule_name):
    """Fails if a target sets an attribute by its old name.

    Args:
        ctx: the context of a rule that has renamed_attrs(rule_name).
        rule_name: the rule's name.
    """
    for row in _RENAMES:
        if rule_name in row.rules and getattr(ctx.attr, row.old):
            fail("%s: %s was renamed to %s%s" % (label_text(ctx.label), row.old, row.new, row.note))
