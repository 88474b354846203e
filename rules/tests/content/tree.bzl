"""Rules for tests: one whose output is a directory, and an executable with links among its runfiles."""

def _tree_impl(ctx):
    output = ctx.actions.declare_directory(ctx.label.name)
    ctx.actions.run_shell(
        command = 'mkdir -p "$1/sub" && echo a >"$1/a" && echo b >"$1/sub/b c" && echo lib >"$1/sub/lib.so"',
        arguments = [output.path],
        outputs = [output],
    )
    return [DefaultInfo(files = depset([output]), runfiles = ctx.runfiles([output]))]

tree = rule(implementation = _tree_impl)

def _linked_binary_impl(ctx):
    executable = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.write(executable, "#!/bin/sh\n", is_executable = True)
    runfiles = ctx.runfiles(
        files = [ctx.file.data],
        root_symlinks = {"root/link": ctx.file.data},
        symlinks = {"a/link": ctx.file.data},
    )
    return [DefaultInfo(executable = executable, runfiles = runfiles)]

linked_binary = rule(
    implementation = _linked_binary_impl,
    attrs = {"data": attr.label(allow_single_file = True)},
    executable = True,
)
