"""A test of the attributes that a macro passes on to the targets that it makes."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")

def _attributes_test_impl(ctx):
    env = unittest.begin(ctx)
    for target, got in ctx.attr.got.items():
        asserts.equals(env, json.decode(ctx.attr.want), json.decode(got), target)
    return unittest.end(env)

_attributes_test = unittest.make(
    _attributes_test_impl,
    attrs = {
        "got": attr.string_dict(),
        "want": attr.string(),
    },
)

# The targets are incompatible, so `bazel test //...` skips them.
_COMMON = {
    "features": ["some_feature"],
    "target_compatible_with": [str(Label("@platforms//:incompatible"))],
    "testonly": True,
}

def attributes_test(name, rule, targets, **attributes):
    """Checks the attributes of the targets that a macro makes besides the one that the user names.

    Args:
        name: the test's name. Without _test at its end, it is the name for the macro.
        rule: the macro.
        targets: list of what the names of the targets have after that.
        **attributes: the macro's other attributes.
    """
    subject = name.removesuffix("_test")
    rule(
        name = subject,
        exec_properties = {
            "pool": "small",
            "test.pool": "large",
        },
        tags = ["some_tag"],
        **(_COMMON | attributes)
    )
    want = _COMMON | {
        "exec_properties": {"pool": "small"},
        "tags": ["manual", "some_tag"],
    }
    got = {}
    for target in targets:
        made = native.existing_rule(subject + target)
        got[target] = json.encode({
            attribute: list(made[attribute]) if type(made[attribute]) == "tuple" else made[attribute]
            for attribute in want
        })
    _attributes_test(
        name = name,
        got = got,
        want = json.encode(want),
    )
