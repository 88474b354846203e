"""Which actions have a private key among their inputs."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")

def _key_actions_impl(ctx):
    env = analysistest.begin(ctx)
    having = [
        action.mnemonic
        for action in analysistest.target_actions(env)
        if ctx.attr.key in [file.basename for file in action.inputs.to_list()]
    ]
    asserts.equals(env, ["KernelModulesSign"], having)
    return analysistest.end(env)

key_actions_test = analysistest.make(
    _key_actions_impl,
    attrs = {"key": attr.string(mandatory = True)},
    doc = "Checks that only the action that signs modules has the file with this name as an input.",
)
