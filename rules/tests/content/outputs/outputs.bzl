"""Outputs of actions that are links, directories of links, and directories without files."""

# Caches and workers return files in place of links to files of a machine.
LOCAL = {"no-cache": "1", "no-remote": "1"}

def _declared_link_impl(ctx):
    link = ctx.actions.declare_symlink(ctx.label.name)
    ctx.actions.symlink(output = link, target_path = ctx.attr.target)
    return [DefaultInfo(files = depset([link]))]

declared_link = rule(
    implementation = _declared_link_impl,
    attrs = {"target": attr.string()},
)

def _link_to_file_impl(ctx):
    link = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(output = link, target_file = ctx.file.file)
    return [DefaultInfo(files = depset([link]))]

link_to_file = rule(
    implementation = _link_to_file_impl,
    attrs = {"file": attr.label(allow_single_file = True)},
)

def _directory_impl(ctx):
    directory = ctx.actions.declare_directory(ctx.label.name)
    ctx.actions.run_shell(
        command = 'cd "$1" && ' + ctx.attr.command,
        execution_requirements = LOCAL,
        arguments = [directory.path],
        outputs = [directory],
    )
    return [DefaultInfo(files = depset([directory]))]

directory = rule(
    implementation = _directory_impl,
    attrs = {"command": attr.string()},
)
