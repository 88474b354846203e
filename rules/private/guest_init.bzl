"""The layer with //tools/init."""

load(":entries.bzl", "file_entry", "node_entry")
load(":paths.bzl", "check_path", "label_text")
load(":providers.bzl", "InitramfsLayerInfo")
load(":tables.bzl", "INIT_ACTIONS")

def _check(ctx, origin):
    if ctx.attr.command:
        check_path(origin, "command", ctx.attr.command)
    elif ctx.attr.args:
        fail("%s: args are for a command, and there is none" % origin)
    for name in ctx.attr.env:
        if not name or "=" in name:
            fail("%s: env: %r is no name of a variable" % (origin, name))
    for module in ctx.attr.modules:
        if not module.strip():
            fail("%s: modules: %r is neither a path nor a name" % (origin, module))
    if ctx.attr.shell:
        check_path(origin, "shell", ctx.attr.shell[0])

def _line(name, *values):
    # A string of JSON is one of Go too, as far as Bazel writes them.
    return " ".join([name] + [json.encode(value) for value in values])

def _settings(ctx):
    """The lines that //internal/init/settings reads."""
    lines = [_line("command", ctx.attr.command, *ctx.attr.args)] if ctx.attr.command else []
    lines += [_line("env", name, value) for name, value in ctx.attr.env.items()]
    lines += [_line("module", module) for module in ctx.attr.modules]
    lines.append(_line("on_exit", ctx.attr.on_exit))
    if ctx.attr.on_failure:
        lines.append(_line("on_failure", ctx.attr.on_failure))
    if ctx.attr.shell:
        lines.append(_line("shell", *ctx.attr.shell))
    return lines

def _guest_init_impl(ctx):
    origin = label_text(ctx.label)
    _check(ctx, origin)
    settings = ctx.actions.declare_file(ctx.label.name + ".init.conf")
    ctx.actions.write(settings, "\n".join(_settings(ctx)) + "\n")
    init = ctx.executable._init
    files = depset([init, settings])
    return [
        DefaultInfo(files = files),
        InitramfsLayerInfo(
            archives = depset(),
            entries = depset([
                # Go's runtime does not start without a console and without this.
                node_entry(origin, "/dev/console", "c 5 1"),
                node_entry(origin, "/dev/null", "c 1 3"),
                file_entry(origin, "/init", init, True),
                file_entry(origin, "/etc/init.conf", settings, False),
            ], order = "postorder"),
            files = files,
        ),
    ]

guest_init = rule(
    implementation = _guest_init_impl,
    attrs = {
        "args": attr.string_list(
            doc = "The command's arguments.",
        ),
        "command": attr.string(
            doc = """The program to run, by its path in the image, where another layer puts it. Without one, init finds the
root file system of `root=` on the kernel's command line, and switches to it.""",
        ),
        "env": attr.string_dict(
            doc = "Environment variables, besides those that the kernel gives to init.",
        ),
        "modules": attr.string_list(
            doc = """Kernel modules to load before anything else, in this order: names such as "virtio_blk", of files that
another layer puts below /lib/modules/RELEASE, or files' absolute paths; behind either, after a blank, parameters. What
a module needs comes before it.""",
        ),
        "on_exit": attr.string(
            default = "poweroff",
            doc = """What init does when the command has ended: `poweroff`, `reboot`, `halt`, or a `shell` on the console, and
power off behind it. A machine that cannot power off is restarted.""",
            values = INIT_ACTIONS,
        ),
        "on_failure": attr.string(
            doc = "The same, when there is nothing to run or it cannot be run. By default as `on_exit`.",
            values = [""] + INIT_ACTIONS,
        ),
        "shell": attr.string_list(
            doc = """The program that is the shell, and its arguments. By default `["/bin/sh"]`.""",
        ),
        "_init": attr.label(
            cfg = "target",
            default = Label("//tools/init"),
            executable = True,
        ),
    },
    doc = """A layer with a small init: it mounts /proc, /sys, /dev, /tmp and /run, runs a command, and says how that ended.

Example:

    guest_init(
        name = "init",
        args = ["--verbose"],
        command = "/bin/app",
        env = {"HOME": "/root"},
    )

    initramfs(
        name = "image",
        files = {"/bin/app": "//cmd/app"},
        layers = [":init"],
    )

In the layer are /init, /etc/init.conf, /dev/console and /dev/null. Words of the kernel's command line, such as
`init.command="/bin/app --quiet"`, win over the attributes.
""",
    provides = [InitramfsLayerInfo],
)
