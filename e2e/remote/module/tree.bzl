"""A rule whose output is a directory."""

def _tree_impl(ctx):
    directory = ctx.actions.declare_directory(ctx.label.name)
    ctx.actions.run_shell(
        arguments = [directory.path, ctx.file.src.path],
        command = 'mkdir -p "$1/sub" && head -c 10000 "$2" >"$1/head" && cp "$2" "$1/sub/all of it"',
        inputs = [ctx.file.src],
        mnemonic = "Tree",
        outputs = [directory],
    )
    return [DefaultInfo(
        files = depset([directory]),
        runfiles = ctx.runfiles([directory]),
    )]

tree = rule(
    implementation = _tree_impl,
    attrs = {"src": attr.label(allow_single_file = True)},
)
