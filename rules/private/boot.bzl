"""Booting a kernel with an initramfs in QEMU."""

load(":paths.bzl", "label_text", "rlocation_path")
load(":platform_transition.bzl", "PLATFORM_ATTRS", "platform_transition")
load(":providers.bzl", "InitramfsInfo", "KernelInfo")
load(":toolchains.bzl", "QEMU_TOOLCHAIN_TYPE")

_BOOT_ATTRS = PLATFORM_ATTRS | {
    "append": attr.string_list(
        doc = "Words for the kernel's command line, after those that the machine needs.",
    ),
    "cpus": attr.int(
        default = 1,
        doc = "How many processors the machine has.",
    ),
    "expect": attr.string_list(
        doc = """Regular expressions (RE2) that the console's lines must match, in this order. The
machine is stopped when the last one has. Without any, the guest must end by itself.""",
    ),
    "forbid": attr.string_list(
        doc = "Regular expressions (RE2) of which no line of the console may match one. A kernel panic is one in any case.",
    ),
    "initramfs": attr.label(
        doc = "The initramfs. Without one there is what is linked into the kernel; with one both are unpacked, this one last.",
        providers = [InitramfsInfo],
    ),
    "kernel": attr.label(
        doc = "The kernel.",
        mandatory = True,
        providers = [KernelInfo],
    ),
    "memory": attr.int(
        default = 512,
        doc = "The machine's memory, in MiB.",
    ),
    "time_limit": attr.int(
        doc = "Seconds until the boot is given up. By default 90% of the test's timeout, and none with `bazel run`.",
    ),
    "_runner": attr.label(
        cfg = "exec",
        default = Label("//tools/boot"),
        executable = True,
    ),
}

def _boot(ctx, interactive):
    kernel = ctx.attr.kernel[KernelInfo]
    archives = [ctx.attr.initramfs[InitramfsInfo].archive] if ctx.attr.initramfs else []
    qemu = ctx.toolchains[QEMU_TOOLCHAIN_TYPE]

    # The runner reads what lies beside it under its own name.
    executable = ctx.actions.declare_file(ctx.label.name)
    config = ctx.actions.declare_file(ctx.label.name + ".boot.json")
    ctx.actions.symlink(
        is_executable = True,
        output = executable,
        target_file = ctx.executable._runner,
    )
    ctx.actions.write(config, json.encode_indent({
        "append": ctx.attr.append,
        "arch": kernel.arch,
        "cpus": ctx.attr.cpus,
        "expect": ctx.attr.expect,
        "forbid": ctx.attr.forbid,
        "initramfs": [rlocation_path(ctx.workspace_name, archive) for archive in archives],
        "interactive": interactive,
        "kernel": rlocation_path(ctx.workspace_name, kernel.image),
        "label": label_text(ctx.label),
        "memory_mib": ctx.attr.memory,
        "qemu": qemu.path,
        "qemu_version": qemu.version,
        "time_limit_s": ctx.attr.time_limit,
    }) + "\n")
    runfiles = ctx.runfiles([config, kernel.image] + archives)
    return [DefaultInfo(
        executable = executable,
        files = depset([executable]),
        runfiles = runfiles.merge(ctx.attr._runner[DefaultInfo].default_runfiles),
    )]

def _boot_test_impl(ctx):
    return _boot(ctx, interactive = False)

def _boot_impl(ctx):
    return _boot(ctx, interactive = True)

boot_test = rule(
    implementation = _boot_test_impl,
    attrs = _BOOT_ATTRS,
    cfg = platform_transition,
    doc = """Boots a kernel with an initramfs in QEMU and reads its console.

Example:

    boot_test(
        name = "boots_test",
        expect = ["Welcome"],
        initramfs = ":image",
        kernel = ":kernel",
    )

The test ends at the first of: the last pattern of `expect` seen; a pattern of `forbid` seen; a
kernel panic; the end of QEMU; the time limit; and it says which. The whole console is kept in
`console.log` of the test's undeclared outputs.

Where there is no QEMU for the platform's architecture, the target is skipped.
""",
    test = True,
    toolchains = [QEMU_TOOLCHAIN_TYPE],
)

boot = rule(
    implementation = _boot_impl,
    attrs = _BOOT_ATTRS,
    cfg = platform_transition,
    doc = """Boots a kernel with an initramfs in QEMU for `bazel run`, with its console on the terminal.

Example:

    boot(
        name = "boot",
        initramfs = ":image",
        kernel = ":kernel",
    )

Ctrl-A x leaves QEMU; Ctrl-C goes to the guest. It succeeds when the guest ends by itself without
a panic, or when the patterns of `expect` were seen.
""",
    executable = True,
    toolchains = [QEMU_TOOLCHAIN_TYPE],
)
