"""A rule whose output is a folder."""

def _tree_impl(ctx):
    folder = ctx.actions.declare_directory(ctx.label.name)
    ctx.actions.run_shell(
        arguments = [folder.path, ctx.file.src.path],
        command = 'mkdir -p "$1/sub" && head -c 10000 "$2" >"$1/head" && cp "$2" "$1/sub/all of it"',
        inputs = [ctx.file.src],
        mnemonic = "Tree",
        outputs = [folder],
    )
    return [DefaultInfo(
        files = depset([folder]),
        runfiles = ctx.runfiles([folder]),
    )]

tree = rule(
    implementation = _tree_impl,
    attrs = {"src": attr.label(allow_single_file = True)},
)
