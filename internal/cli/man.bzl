"""Man pages of programs that use package cli."""

def _man_page_impl(ctx):
    page = ctx.actions.declare_file(ctx.attr.program.label.name + ".1")
    args = ctx.actions.args()
    args.add("man")
    args.add("--out", page)
    ctx.actions.run(
        outputs = [page],
        executable = ctx.executable.program,
        arguments = [args],
        mnemonic = "ManPage",
        progress_message = "Writing %{output}",
    )
    return [DefaultInfo(files = depset([page]))]

man_page = rule(
    implementation = _man_page_impl,
    doc = "The man page of a program, NAME.1, as its hidden command man prints it.",
    attrs = {
        "program": attr.label(
            cfg = "exec",
            doc = "The program.",
            executable = True,
            mandatory = True,
        ),
    },
)
