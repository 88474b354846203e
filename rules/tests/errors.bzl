"""Tests of the errors of the rules: at analysis, and of the packer."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts", "unittest")
load("@bazel_skylib//rules:build_test.bzl", "build_test")
load("//rules:defs.bzl", "InitramfsLayerInfo", "initramfs_layer")

# buildifier: disable=bzl-visibility
load("//rules/private:layer_info.bzl", "initramfs_layer_info")

# buildifier: disable=bzl-visibility
load("//rules/private:lines.bzl", "list_lines")

# buildifier: disable=bzl-visibility
load("//rules/private:pack.bzl", "pack_action")

# buildifier: disable=bzl-visibility
load("//rules/private:toolchains.bzl", "PACKER_TOOLCHAIN_TYPE")

# buildifier: disable=bzl-visibility
load("//rules/private:typed_attributes.bzl", "mistyped")

def _analysis_error_impl(ctx):
    env = analysistest.begin(ctx)
    for word in ctx.attr.words:
        asserts.expect_failure(env, word)
    return analysistest.end(env)

_analysis_error_test = analysistest.make(
    _analysis_error_impl,
    attrs = {"words": attr.string_list(mandatory = True)},
    expect_failure = True,
)

def analysis_error_test(name, at, words, rule = initramfs_layer, origin = None, **attributes):
    """Checks that a target with these attributes fails at analysis.

    Args:
        name: the test's name.
        at: the attribute that the error is about, and more of the error's beginning if that matters; it follows the
            label.
        words: list of what else the error must have in it: names, values, key words.
        rule: the target's rule.
        origin: the label that the error begins with. By default the target's.
        **attributes: the target's attributes.
    """
    subject = name.removesuffix("_test")
    rule(name = subject, tags = ["manual"], **attributes)
    begin = (origin or "//%s:%s" % (native.package_name(), subject)) + ": " + at
    _analysis_error_test(name = name, target_under_test = ":" + subject, words = [begin] + words)

def analysis_error_tests(cases, rule = initramfs_layer, **attributes):
    """Checks of several targets that they fail at analysis.

    Args:
        cases: dict of a target's name to a tuple: the arguments `at` and `words` of analysis_error_test, and a dict
            of attributes.
        rule: the targets' rule.
        **attributes: attributes of all targets.
    """
    for name, (at, words, own) in cases.items():
        analysis_error_test(
            name = name + "_test",
            at = at,
            rule = rule,
            words = words,
            **(attributes | own)
        )

def _mistyped_impl(ctx):
    env = unittest.begin(ctx)
    for attributes, words in [
        ({"dirs": ["/tmp"]}, []),
        ({"files": {"/a": "a"}}, []),
        ({"dirs": {"/tmp": "1777"}}, ["//x:y: dirs: ", "1777", "metadata"]),
        ({"archives": {"a.tar": "/usr"}}, ["//x:y: archives: ", "/usr"]),
        ({"compressor_args": {"-9": ""}}, ["//x:y: compressor_args: "]),
    ]:
        error = mistyped("//x:y", attributes)
        asserts.equals(env, bool(words), error != None)
        for word in words:
            asserts.true(env, word in error, "%r has no %r" % (error, word))
    return unittest.end(env)

mistyped_test = unittest.make(_mistyped_impl)

def _packing_error_impl(ctx):
    layers = [target[InitramfsLayerInfo] for target in ctx.attr.layers]
    if ctx.attr.split == "layer":
        return _expect_error(ctx, ["join"], *_pack_layers(ctx, layers))
    layer = initramfs_layer_info(layers = layers)
    generated = ctx.actions.args()
    generated.set_param_file_format("multiline")
    generated.use_param_file("%s", use_always = True)
    generated.add_all(layer.entries, map_each = list_lines)
    return _expect_error(ctx, ["pack", "--directives", "--parents", "--build-outputs", "bazel-out"], generated, layer.files)

def _pack_layers(ctx, layers):
    """Packs each layer on its own, as split = "layer" does: the arguments that name the results, and their files."""
    pairs, files = ctx.actions.args(), []
    layered = ctx.actions.args()
    layered.add("--layer")
    for i, layer in enumerate(layers):
        archive = ctx.actions.declare_file("%s.%d.cpio" % (ctx.label.name, i))
        completed = ctx.actions.declare_file("%s.%d.list" % (ctx.label.name, i))
        method = struct(codec = "none", level = 0, compressor = None, compressor_args = [])
        pack_action(ctx, layer, archive, completed, method, [layered])
        pairs.add_all([archive, completed])
        files += [archive, completed]
    return pairs, depset(files)

def _expect_error(ctx, words, arguments, files):
    """Runs a command of the packer that must fail, and checks what it prints."""
    messages = ctx.actions.declare_file(ctx.label.name + ".txt")
    packer = ctx.toolchains[PACKER_TOOLCHAIN_TYPE].packer
    command = ctx.actions.args()
    command.add(messages)

    # The packer must not write it: it is not an output of the action.
    command.add(messages, format = "%s.cpio")
    command.add(ctx.attr.errors)
    command.add(packer.executable)
    command.add_all(words)
    command.add("--out")
    command.add(messages, format = "%s.cpio")
    ctx.actions.run(
        arguments = [command, arguments],
        executable = ctx.executable._expect_error,
        # Errors have paths in them.
        execution_requirements = {"supports-path-mapping": "1"},
        inputs = files,
        mnemonic = "InitramfsPackError",
        outputs = [messages],
        tools = [packer],
        toolchain = PACKER_TOOLCHAIN_TYPE,
    )
    return [DefaultInfo(files = depset([messages]))]

_packing_error = rule(
    implementation = _packing_error_impl,
    attrs = {
        "errors": attr.string(mandatory = True),
        "layers": attr.label_list(providers = [InitramfsLayerInfo]),
        "split": attr.string(),
        "_expect_error": attr.label(cfg = "exec", default = Label("//rules/tests/expect_error"), executable = True),
    },
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)

def packing_error_test(name, layers, errors, split = "size"):
    """Checks that packing layers fails, leaves no archive, and prints errors with certain words in them.

    The text of errors is in golden files of the packer's own tests.

    Args:
        name: the test's name.
        layers: the layers.
        errors: list of a list of strings for each line: what the line begins with, such as the label, and what else
            it has in it, such as attributes and paths.
        split: "size" or "layer", as of initramfs.
    """
    _packing_error(
        name = name + "_messages",
        errors = json.encode(errors),
        layers = layers,
        split = split,
    )
    build_test(name = name, targets = [name + "_messages"])
