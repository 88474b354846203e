"""guest_init: a layer with //tools/init."""

load(":entries.bzl", "device_node_entry", "file_entry")
load(":layer_info.bzl", "initramfs_layer_info")
load(":paths.bzl", "check_path", "label_text")
load(":providers.bzl", "InitramfsLayerInfo")
load(":tables.bzl", "INIT_ACTIONS")

def _is_module_name(text):
    return bool(text) and not [c for c in text.elems() if c in " /\t\n"]

def _check(ctx, origin):
    if ctx.attr.command:
        check_path("%s: command" % origin, ctx.attr.command)
    elif ctx.attr.args:
        fail("%s: args are for a command, and there is none" % origin)
    for name in ctx.attr.env:
        if not name or "=" in name:
            fail("%s: env: %r is not the name of a variable" % (origin, name))
    for module in ctx.attr.modules:
        if not module.startswith("/") and not _is_module_name(module):
            fail("%s: modules: %r is neither a name nor an absolute path: put parameters into module_parameters" % (origin, module))
    for attribute, names in {
        "autoload_blocklist": ctx.attr.autoload_blocklist,
        "module_parameters": ctx.attr.module_parameters,
    }.items():
        for module in names:
            if not _is_module_name(module):
                fail("%s: %s: %r is not the name of a module" % (origin, attribute, module))
    if ctx.attr.autoload_blocklist and not ctx.attr.autoload:
        fail("%s: autoload_blocklist is for autoload, which is off" % origin)
    if ctx.attr.shell:
        check_path("%s: shell" % origin, ctx.attr.shell[0])

def _line(name, *values):
    # What Bazel writes as a JSON string is a quoted string of Go, too.
    return " ".join([name] + [json.encode(value) for value in values])

def _settings(ctx):
    """The lines that //internal/init/settings reads."""
    lines = [_line("command", ctx.attr.command, *ctx.attr.args)] if ctx.attr.command else []
    lines += [_line("env", name, value) for name, value in ctx.attr.env.items()]
    lines += [_line("module", module) for module in ctx.attr.modules]
    lines += [_line("module_parameters", *item) for item in ctx.attr.module_parameters.items()]
    if ctx.attr.autoload:
        lines.append(_line("autoload", "true"))
    if ctx.attr.print_pcrs:
        lines.append(_line("print_pcrs", *[str(number) for number in ctx.attr.print_pcrs]))
    lines += [_line("autoload_blocklist", module) for module in ctx.attr.autoload_blocklist]
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
    info = initramfs_layer_info([
        # Go's runtime does not start without a console and without /dev/null.
        device_node_entry(origin, "/dev/console", "c 5 1"),
        device_node_entry(origin, "/dev/null", "c 1 3"),
        file_entry(origin, "/init", ctx.executable._init, mode = "0755"),
        file_entry(origin, "/etc/init.conf", settings),
    ])
    return [info, DefaultInfo(files = info.files)]

guest_init = rule(
    implementation = _guest_init_impl,
    attrs = {
        "args": attr.string_list(
            doc = """The arguments of `command`: `["--verbose"]`.""",
        ),
        "autoload": attr.bool(
            doc = """Loads the modules that serve the machine's devices, also those that appear later, and those that the
kernel asks for, such as a file system's when it is mounted. Modules that serve no device stay out.""",
        ),
        "autoload_blocklist": attr.string_list(
            doc = """Names of modules that `autoload` leaves out, like `blacklist` of modprobe.d: `["pcspkr"]`. They are still
loaded by `modules`, and if another module needs them.""",
        ),
        "command": attr.string(
            doc = """The program to run, by its absolute path in the image, where another layer puts it. Without a command,
init finds the root file system that `root=` on the kernel's command line names, and switches to it.""",
        ),
        "env": attr.string_dict(
            doc = """Environment variables for the command, in addition to those that the kernel gives to init:
`{"HOME": "/root"}`.""",
        ),
        "module_parameters": attr.string_dict(
            doc = """Parameters of modules by their names, whatever loads them: `{"loop": "max_loop=8 max_part=1"}`. They
come after those of modprobe.d files in the image, and before those of the kernel's command line.""",
        ),
        "modules": attr.string_list(
            doc = """Kernel modules to load before the command runs, with the modules that they need, and at the same time if
they do not need each other: names, such as "virtio_blk", or aliases, such as "fs-ext4", of modules that another layer
puts below /lib/modules/RELEASE with the indexes of depmod; or absolute paths of files. Init stops with an error if a
name is unknown. Without modules.dep, the modules are loaded in this order.""",
        ),
        "on_exit": attr.string(
            default = "poweroff",
            doc = """What init does after the command has ended: `poweroff`, `reboot`, `halt`, or `shell`, which runs a
shell on the console and then powers off. A machine that cannot power off is restarted.""",
            values = INIT_ACTIONS,
        ),
        "on_failure": attr.string(
            doc = "What init does if there is nothing to run or it cannot be run. By default the same as `on_exit`.",
            values = [""] + INIT_ACTIONS,
        ),
        "print_pcrs": attr.int_list(
            doc = """Numbers of PCRs of the machine's TPM to print before anything else runs, as lines `pcr 4: SHA-256`:
`[4, 9, 11, 12, 13]` are those that `measurements` predicts. Init stops with an error if there is no TPM.""",
        ),
        "shell": attr.string_list(
            doc = """The shell, by its absolute path in the image, and its arguments. By default `["/bin/sh"]`.""",
        ),
        "_init": attr.label(
            cfg = "target",
            default = Label("//tools/init"),
            executable = True,
        ),
    },
    doc = """A layer with a small init, which mounts /proc, /sys, /dev, /tmp and /run, turns on the loopback interface, runs a
command, and reports how it ended.

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

The layer has /init, /etc/init.conf, /dev/console and /dev/null. Settings on the kernel's command line, such as
`init.command="/bin/app --quiet"`, override the attributes.
""",
    provides = [InitramfsLayerInfo],
)
