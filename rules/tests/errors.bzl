"""Tests of what the rules refuse: at analysis, and when packing."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("@bazel_skylib//rules:diff_test.bzl", "diff_test")
load("//rules:defs.bzl", "InitramfsLayerInfo", "initramfs_layer")

# buildifier: disable=bzl-visibility
load("//rules/private:entries.bzl", "list_lines")

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
    message = ctx.actions.declare_file(ctx.label.name + ".txt")
    packer = ctx.toolchains[PACKER_TOOLCHAIN_TYPE].packer
    layers = [target[InitramfsLayerInfo] for target in ctx.attr.layers]

    # What the packer must not write: no output of the action.
    archive = message.path + ".cpio"
    command = ctx.actions.args()
    command.add(message)
    command.add(archive)
    command.add(packer.executable)
    command.add_all(["pack", "--directives", "--parents", "--out", archive])
    generated = ctx.actions.args()
    generated.set_param_file_format("multiline")
    generated.use_param_file("%s", use_always = True)
    generated.add_all(depset(transitive = [layer.entries for layer in layers], order = "postorder"), map_each = list_lines)
    ctx.actions.run(
        arguments = [command, generated],
        executable = ctx.executable._expect_error,
        inputs = depset(transitive = [layer.files for layer in layers]),
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
        "_expect_error": attr.label(cfg = "exec", default = "//rules/tests/expect_error", executable = True),
    },
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)

def packing_error_test(name, layers, message):
    """Checks that packing layers fails, leaves no archive, and says what a file says.

    Args:
        name: the test's name.
        layers: the layers.
        message: the file with all that goes to stderr.
    """
    _packing_error(name = name + "_message", layers = layers)
    diff_test(name = name, file1 = message, file2 = name + "_message")
