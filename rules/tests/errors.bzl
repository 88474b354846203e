"""Tests of what the rules refuse: at analysis, and when packing."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("@bazel_skylib//rules:diff_test.bzl", "diff_test")
load("//rules:defs.bzl", "InitramfsLayerInfo", "initramfs_layer")

# buildifier: disable=bzl-visibility
load("//rules/private:layer.bzl", "join_layers")

# buildifier: disable=bzl-visibility
load("//rules/private:lines.bzl", "list_lines")

# buildifier: disable=bzl-visibility
load("//rules/private:pack.bzl", "pack_action")

# buildifier: disable=bzl-visibility
load("//rules/private:toolchains.bzl", "PACKER_TOOLCHAIN_TYPE")

def _analysis_error_impl(ctx):
    env = analysistest.begin(ctx)
    asserts.expect_failure(env, ctx.attr.message)
    return analysistest.end(env)

_analysis_error_test = analysistest.make(
    _analysis_error_impl,
    attrs = {"message": attr.string(mandatory = True)},
    expect_failure = True,
)

def analysis_error_test(name, message, rule = initramfs_layer, **attributes):
    """Checks that a target with these attributes fails at analysis with a message.

    Args:
        name: the test's name.
        message: what the message must have in it.
        rule: the target's rule.
        **attributes: the target's attributes.
    """
    subject = name.removesuffix("_test")
    rule(name = subject, tags = ["manual"], **attributes)
    _analysis_error_test(name = name, message = message, target_under_test = ":" + subject)

def _packing_error_impl(ctx):
    layers = [target[InitramfsLayerInfo] for target in ctx.attr.layers]
    if ctx.attr.segments == "layer":
        return _expect_error(ctx, ["join"], *_pack_layers(ctx, layers))
    layer = join_layers(layers)
    generated = ctx.actions.args()
    generated.set_param_file_format("multiline")
    generated.use_param_file("%s", use_always = True)
    generated.add_all(layer.entries, map_each = list_lines)
    return _expect_error(ctx, ["pack", "--directives", "--parents"], generated, layer.files)

def _pack_layers(ctx, layers):
    """Packs each layer by itself, as segments = "layer" does: the arguments that name them, and the files."""
    pairs, files = ctx.actions.args(), []
    layered = ctx.actions.args()
    layered.add("--layer")
    for i, layer in enumerate(layers):
        segment = ctx.actions.declare_file("%s.%d.cpio" % (ctx.label.name, i))
        completed = ctx.actions.declare_file("%s.%d.list" % (ctx.label.name, i))
        method = struct(codec = "none", level = 0, compressor = None, compressor_args = [])
        pack_action(ctx, layer, segment, completed, method, [layered])
        pairs.add_all([segment, completed])
        files += [segment, completed]
    return pairs, depset(files)

def _expect_error(ctx, words, arguments, files):
    """Runs a command of the packer that has to fail, and keeps what it says."""
    message = ctx.actions.declare_file(ctx.label.name + ".txt")
    packer = ctx.toolchains[PACKER_TOOLCHAIN_TYPE].packer
    command = ctx.actions.args()
    command.add(message)

    # What the packer must not write: no output of the action.
    command.add(message, format = "%s.cpio")
    command.add(packer.executable)
    command.add_all(words)
    command.add("--out")
    command.add(message, format = "%s.cpio")
    ctx.actions.run(
        arguments = [command, arguments],
        executable = ctx.executable._expect_error,
        # Messages have paths in them.
        execution_requirements = {"supports-path-mapping": "1"},
        inputs = files,
        mnemonic = "InitramfsPackError",
        outputs = [message],
        tools = [packer],
        toolchain = PACKER_TOOLCHAIN_TYPE,
    )
    return [DefaultInfo(files = depset([message]))]

_packing_error = rule(
    implementation = _packing_error_impl,
    attrs = {
        "layers": attr.label_list(providers = [InitramfsLayerInfo]),
        "segments": attr.string(),
        "_expect_error": attr.label(cfg = "exec", default = Label("//rules/tests/expect_error"), executable = True),
    },
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)

def packing_error_test(name, layers, message, segments = "auto"):
    """Checks that packing layers fails, leaves no archive, and says what a file says.

    Args:
        name: the test's name.
        layers: the layers.
        message: the file with all that goes to stderr.
        segments: "auto" or "layer", as of initramfs.
    """
    _packing_error(name = name + "_message", layers = layers, segments = segments)
    diff_test(name = name, file1 = message, file2 = name + "_message")

def analysis_error_tests(cases, message_prefix, rule = initramfs_layer, **attributes):
    """Checks of several targets that they fail at analysis.

    Args:
        cases: dict of a target's name to a tuple of the message behind `//PACKAGE:NAME: ` and
            message_prefix, and a dict of attributes.
        message_prefix: what messages have behind the label.
        rule: the targets' rule.
        **attributes: attributes of all.
    """
    for name, (message, own) in cases.items():
        analysis_error_test(
            name = name + "_test",
            message = "//%s:%s: %s%s" % (native.package_name(), name, message_prefix, message),
            rule = rule,
            **(attributes | own)
        )
