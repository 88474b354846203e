"""A test rule such as users write: it runs another test, with a variable."""

def _script_test_impl(ctx):
    executable = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(
        is_executable = True,
        output = executable,
        target_file = ctx.executable.test,
    )
    return [
        DefaultInfo(
            executable = executable,
            runfiles = ctx.attr.test[DefaultInfo].default_runfiles,
        ),
        RunEnvironmentInfo(environment = {"CUSTOM": "a variable"}),
    ]

script_test = rule(
    implementation = _script_test_impl,
    attrs = {"test": attr.label(
        cfg = "target",
        executable = True,
        mandatory = True,
    )},
    test = True,
)
