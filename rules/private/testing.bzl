"""Tests of what is in an image."""

load(":common_attrs.bzl", "internal_attrs")
load(":paths.bzl", "label_text", "rlocation_path")
load(":providers.bzl", "InitramfsInfo", "MeasurementsInfo")
load(":test_exec.bzl", "TEST_EXEC_CFG", "test_exec_groups")

_IMAGE_ATTRS = {
    "image": attr.label(
        doc = "The initramfs.",
        mandatory = True,
        providers = [InitramfsInfo],
    ),
}

_MEASUREMENTS_ATTRS = {
    "measurements": attr.label(
        mandatory = True,
        providers = [MeasurementsInfo],
    ),
}

def _tool_attrs(cfg):
    return {
        "_tool": attr.label(
            cfg = cfg,
            default = Label("//tools/imagetest"),
            executable = True,
        ),
    }

def _executable(ctx, config, files):
    """The providers of a target that runs the tool, which reads the configuration beside it."""
    executable = ctx.actions.declare_file(ctx.label.name)
    written = ctx.actions.declare_file(ctx.label.name + ".json")
    ctx.actions.symlink(
        is_executable = True,
        output = executable,
        target_file = ctx.executable._tool,
    )
    ctx.actions.write(written, json.encode_indent(config) + "\n")
    runfiles = ctx.runfiles([written] + files)
    return [DefaultInfo(
        executable = executable,
        files = depset([executable]),
        runfiles = runfiles.merge(ctx.attr._tool[DefaultInfo].default_runfiles),
    )]

def _golden(ctx, kind, built, update):
    golden = ctx.file.golden
    if not golden.is_source:
        fail("%s: golden: %s is a generated file: name a file that is checked in" % (label_text(ctx.label), golden.short_path))
    return _executable(ctx, {"golden": {
        "got": rlocation_path(ctx.workspace_name, built),
        "kind": kind,
        "source": golden.short_path,
        "update": update,
        "update_label": ctx.attr.update_label,
        "want": rlocation_path(ctx.workspace_name, golden),
    }}, [built, golden])

def _listing(ctx, update):
    return _golden(ctx, "listing", ctx.attr.image[InitramfsInfo].listing, update)

def _measurements(ctx, update):
    return _golden(ctx, "measurements", ctx.attr.measurements[MeasurementsInfo].report, update)

_GOLDEN_ATTRS = {
    "golden": attr.label(
        allow_single_file = True,
        mandatory = True,
    ),
    "update_label": attr.string(),
}

_listing_test = rule(
    implementation = lambda ctx: _listing(ctx, update = False),
    attrs = _IMAGE_ATTRS | _tool_attrs(TEST_EXEC_CFG) | _GOLDEN_ATTRS,
    exec_groups = test_exec_groups(),
    test = True,
)

_listing_update = rule(
    implementation = lambda ctx: _listing(ctx, update = True),
    attrs = _IMAGE_ATTRS | _tool_attrs("exec") | _GOLDEN_ATTRS,
    executable = True,
)

_measurements_test = rule(
    implementation = lambda ctx: _measurements(ctx, update = False),
    attrs = _MEASUREMENTS_ATTRS | _tool_attrs(TEST_EXEC_CFG) | _GOLDEN_ATTRS,
    exec_groups = test_exec_groups(),
    test = True,
)

_measurements_update = rule(
    implementation = lambda ctx: _measurements(ctx, update = True),
    attrs = _MEASUREMENTS_ATTRS | _tool_attrs("exec") | _GOLDEN_ATTRS,
    executable = True,
)

def _golden_test(test, update, name, golden, of, kwargs):
    """Declares a test that compares with a golden file, and the target that updates the file."""
    test(
        name = name,
        golden = golden,
        update_label = label_text(native.package_relative_label(name + ".update")),
        **(of | kwargs)
    )
    update(
        name = name + ".update",
        golden = golden,
        **(of | internal_attrs({"testonly": True} | kwargs))
    )

def initramfs_listing_test(name, image, golden, **kwargs):
    """Compares the listing of an image with a file that is checked in.

    Reviewers see a change of the image as a change of that file. `bazel run` of `NAME.update`
    writes the file.

    Example:

        initramfs_listing_test(
            name = "image_listing_test",
            golden = "image.listing",
            image = ":image",
        )

    Args:
        name: the test's name.
        image: an initramfs.
        golden: the file, in the source tree. It may be empty at first.
        **kwargs: attributes of any test, such as tags, size and visibility. `NAME.update` has those of all rules too.
    """
    _golden_test(_listing_test, _listing_update, name, golden, {"image": image}, kwargs)

def measurements_test(name, measurements, golden, **kwargs):
    """Compares the measurements of a payload with a file that is checked in.

    If they differ, the test says why: which section of the payload has changed, and which file of the initramfs, with
    its target. `bazel run` of `NAME.update` writes the file.

    Example:

        measurements_test(
            name = "product_measurements_test",
            golden = "product.measurements.json",
            measurements = ":product_measurements",
        )

    Args:
        name: the test's name.
        measurements: a `measurements` target.
        golden: the file, in the source tree. It may be empty at first.
        **kwargs: attributes of any test, such as tags, size and visibility. `NAME.update` has those of all rules too.
    """
    _golden_test(_measurements_test, _measurements_update, name, golden, {"measurements": measurements}, kwargs)

_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

def _parse_size(origin, attribute, text):
    """The number of bytes of a text such as 1500, 12KiB or 4 MiB."""
    number, factor = text, 1
    for unit, bytes_of_unit in _UNITS.items():
        if text.endswith(unit):
            number, factor = text.removesuffix(unit).strip(), bytes_of_unit
    if not number.isdigit():
        fail("%s: %s: %r is not a size: want a number of bytes, or a number with a unit, such as 12KiB or 4MiB" % (origin, attribute, text))
    return int(number) * factor

def _size_test_impl(ctx):
    origin = label_text(ctx.label)
    if not ctx.attr.max_size and not ctx.attr.max_size_of:
        fail("%s: set max_size or max_size_of" % origin)
    for pattern in ctx.attr.max_size_of:
        if not pattern.startswith("/"):
            fail("%s: max_size_of: %r is not absolute: write %r" % (origin, pattern, "/" + pattern))
    image = ctx.attr.image[InitramfsInfo]
    return _executable(ctx, {"size": {
        "entries": rlocation_path(ctx.workspace_name, image.json),
        "image": rlocation_path(ctx.workspace_name, image.archive),
        "max_by_glob": {
            pattern: _parse_size(origin, "max_size_of", text)
            for pattern, text in ctx.attr.max_size_of.items()
        },
        "max_bytes": _parse_size(origin, "max_size", ctx.attr.max_size) if ctx.attr.max_size else -1,
    }}, [image.archive, image.json])

initramfs_size_test = rule(
    implementation = _size_test_impl,
    attrs = _IMAGE_ATTRS | _tool_attrs(TEST_EXEC_CFG) | {
        "max_size": attr.string(
            doc = """The most bytes that the image may have, as it is stored: `"1500"`, `"12KiB"` or `"4MiB"`.""",
        ),
        "max_size_of": attr.string_dict(
            doc = """The most bytes that regular files may have in total before compression, by path or glob:
`{"/lib/modules/**": "8MiB"}`. `*` and `?` do not match a slash, and `**` does. A hard link counts under each of its names,
and once in a total. A glob that matches no regular file is an error.""",
        ),
    },
    doc = """Checks that an image keeps to size budgets.

Example:

    initramfs_size_test(
        name = "image_size_test",
        image = ":image",
        max_size = "4MiB",
        max_size_of = {"/lib/modules/**": "8MiB"},
    )

If the image is over a budget, the test prints the largest files with the labels of their targets.
""",
    exec_groups = test_exec_groups(),
    test = True,
)
