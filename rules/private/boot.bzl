"""Booting a kernel with an initramfs in QEMU."""

load(":paths.bzl", "label_text", "rlocation_path")
load(":platform_transition.bzl", "PLATFORM_ATTRS", "platform_transition")
load(":providers.bzl", "InitramfsInfo", "KernelInfo")
load(":tables.bzl", "FAILURES", "KERNEL_FAILURES")
load(":toolchains.bzl", "QEMU_TOOLCHAIN_TYPE")

BOOT_ATTRS = PLATFORM_ATTRS | {
    "allow": attr.string_list(
        doc = """Failures in the kernel's messages that do not fail the boot: %s. A pattern of `expect` that matches the words of a
message, such as "Initramfs unpacking failed", allows its kind from there on.""" % ", ".join(['"%s"' % name for name in KERNEL_FAILURES]),
    ),
    "append": attr.string_list(
        doc = "Words for the kernel's command line, after those that the machine needs.",
    ),
    "cmdline": attr.string_list(
        doc = """The words of the whole command line of the kernel, in place of those that the machine needs, which
are `console=`, `panic=-1` and on x86_64 `no_timer_check=1`, and of `append`. A kernel that is not told its console says nothing.""",
    ),
    "cpus": attr.int(
        default = 1,
        doc = "How many processors the machine has. A test takes as many of Bazel's, unless a tag `cpu:N` says otherwise.",
    ),
    "disks": attr.label_list(
        allow_files = True,
        doc = """Raw disk images, a file each. The guest sees them as virtio disks in this order: /dev/vda, /dev/vdb and so on.
It may write to them, and what it writes is lost when it ends: the files stay as they are.""",
    ),
    "exit_code_pattern": attr.string(
        doc = """A regular expression (RE2) with one group, for the line in which the guest reports a number: it must
be seen, and the number be zero, which another fails at once. Example: `^tests ended with ([0-9]+)$`.""",
    ),
    "expect": attr.string_list(
        doc = """Regular expressions (RE2) that the console's lines must match, in this order. The machine is stopped
when all that is expected, here and in `expect_unordered`, `exit_code_pattern` and `input`, was seen. Without any of
the first three the guest must end by itself.""",
    ),
    "expect_unordered": attr.string_list(
        doc = "Regular expressions (RE2) that the console's lines must match, in any order, beside those of `expect`.",
    ),
    "files": attr.label_list(
        allow_files = True,
        doc = """Files and folders that the guest may read, each under the last part of its path, in a virtio-9p share
whose mount tag is `files`: `mount -t 9p -o trans=virtio,ro files /mnt`. The kernel needs CONFIG_NET_9P_VIRTIO and
CONFIG_9P_FS.""",
    ),
    "firmware": attr.label(
        allow_single_file = True,
        doc = "What runs before the kernel, QEMU's -bios. By default QEMU's own for the machine.",
    ),
    "forbid": attr.string_list(
        doc = """Regular expressions (RE2) of which no line of the console may match one. What the kernel says of a
failure need not be among them: see `allow`.""",
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
    "kvm": attr.string(
        default = "auto",
        doc = """Does KVM run the guest? "auto", if it can: the guest is of the host's architecture, /dev/kvm is there
and makes a machine, and the processor runs it; else QEMU emulates the guest, which is many times slower, and the log
says why. "off", never: guests are the same everywhere. "on", or the test fails; it gets the tag `requires-kvm`.""",
        values = ["auto", "off", "on"],
    ),
    "machine": attr.string(
        doc = """QEMU's -machine, with properties. By default q35 on x86_64, virt on arm64 and riscv64. Its first serial
port must be the one that the default has, unless `cmdline` names another console.""",
    ),
    "memory": attr.int(
        default = 512,
        doc = "The machine's memory, in MiB.",
    ),
    "network": attr.string(
        default = "none",
        doc = """"none", or "user": a virtio network card on QEMU's own network, which gives the guest an address by DHCP
and what the test itself may reach.""",
        values = ["none", "user"],
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

_TEST_ATTRS = BOOT_ATTRS | {
    "input": attr.string_dict(
        doc = """What is typed on the console: a regular expression (RE2) for a prompt, which need not be a whole line,
to the text that is sent when it was seen, as in `{"login: $": "root\\n"}`. The prompts must be seen in this order. One
that comes twice is written in two ways, such as `# $` and `[#] $`.""",
    ),
}

def _single_file(ctx, attribute, target):
    files = target[DefaultInfo].files.to_list()
    if len(files) != 1:
        fail("%s: %s: %s is %d files: want one" % (label_text(ctx.label), attribute, label_text(target.label), len(files)))
    return files[0]

def _check(ctx):
    for name in ctx.attr.allow:
        if name not in KERNEL_FAILURES:
            fail("%s: allow: %r is none of %s" % (label_text(ctx.label), name, ", ".join(KERNEL_FAILURES)))
    if ctx.attr.cmdline and ctx.attr.append:
        fail("%s: append: not with cmdline, which is the whole command line: write the words there" % label_text(ctx.label))
    owners = {}
    for file in ctx.files.files:
        if file.basename in owners:
            fail("%s: files: %s and %s are both called %s" % (
                label_text(ctx.label),
                label_text(owners[file.basename]),
                label_text(file.owner),
                file.basename,
            ))
        owners[file.basename] = file.owner

def describe_boot(ctx, runner, interactive = False, input = {}, files = []):
    """Describes a boot to what runs it.

    Args:
        ctx: the context of a rule with attributes of BOOT_ATTRS: all, or without those for what is expected.
        runner: the target that runs the boot. It finds the description beside it, under its own name with .boot.json behind.
        interactive: is the console the terminal?
        input: dict of prompts and answers.
        files: more Files that the runner needs.

    Returns:
        A DefaultInfo.
    """
    _check(ctx)
    kernel = ctx.attr.kernel[KernelInfo]

    # The runner joins them: an image of layers need not be made for that, nor be downloaded.
    segments = ctx.attr.initramfs[InitramfsInfo].segments if ctx.attr.initramfs else []
    disks = [_single_file(ctx, "disks", target) for target in ctx.attr.disks]
    qemu = ctx.toolchains[QEMU_TOOLCHAIN_TYPE]

    # Only a debugger reads it.
    vmlinux = kernel.vmlinux if interactive else None

    # The runner reads what lies beside it under its own name.
    executable = ctx.actions.declare_file(ctx.label.name)
    config = ctx.actions.declare_file(ctx.label.name + ".boot.json")
    ctx.actions.symlink(
        is_executable = True,
        output = executable,
        target_file = runner[DefaultInfo].files_to_run.executable,
    )

    def path(file):
        return rlocation_path(ctx.workspace_name, file) if file else ""

    ctx.actions.write(config, json.encode_indent({
        "allow": ctx.attr.allow,
        "append": ctx.attr.append,
        "arch": kernel.arch,
        "cmdline": ctx.attr.cmdline,
        "cpus": ctx.attr.cpus,
        "disks": [path(disk) for disk in disks],
        "exit_code_pattern": getattr(ctx.attr, "exit_code_pattern", None) or None,
        "expect": getattr(ctx.attr, "expect", []),
        "expect_unordered": getattr(ctx.attr, "expect_unordered", []),
        "files": [path(file) for file in ctx.files.files],
        "firmware": path(ctx.file.firmware),
        "forbid": ctx.attr.forbid,
        "initramfs": [path(segment) for segment in segments],
        "input": [{"expect": prompt, "send": text} for prompt, text in input.items()],
        "interactive": interactive,
        "kernel": path(kernel.image),
        "kvm": ctx.attr.kvm,
        "label": label_text(ctx.label),
        "machine": ctx.attr.machine,
        "memory_mib": ctx.attr.memory,
        "network": ctx.attr.network,
        "qemu": qemu.path,
        "qemu_version": qemu.version,
        "time_limit_s": ctx.attr.time_limit,
        "vmlinux": path(vmlinux),
    }) + "\n")
    runfiles = ctx.runfiles(
        [config, kernel.image] + segments + disks + ctx.files.files + files +
        [file for file in [ctx.file.firmware, vmlinux] if file],
    )
    return DefaultInfo(
        executable = executable,
        files = depset([executable]),
        runfiles = runfiles.merge(runner[DefaultInfo].default_runfiles),
    )

def boot_requirements(ctx):
    """What a test needs of the machine that runs it, as tags say it.

    Args:
        ctx: the context of a rule with attributes of BOOT_ATTRS.

    Returns:
        A testing.ExecutionInfo.
    """
    needs = {}
    if ctx.attr.cpus > 1 and not [tag for tag in ctx.attr.tags if tag.startswith("cpu:")]:
        needs["cpu:%d" % ctx.attr.cpus] = ""
    if ctx.attr.kvm == "on":
        needs["requires-kvm"] = ""
    return testing.ExecutionInfo(needs)

def _boot_test_impl(ctx):
    return [
        describe_boot(ctx, ctx.attr._runner, input = ctx.attr.input),
        boot_requirements(ctx),
    ]

def _boot_impl(ctx):
    return [describe_boot(ctx, ctx.attr._runner, interactive = True)]

boot_test = rule(
    implementation = _boot_test_impl,
    attrs = _TEST_ATTRS,
    cfg = platform_transition,
    doc = """Boots a kernel with an initramfs in QEMU and reads its console.

Example:

    boot_test(
        name = "boots_test",
        expect = ["Welcome"],
        initramfs = ":image",
        kernel = ":kernel",
    )

The test ends at the first of: all that is expected seen; a pattern of `forbid` seen; a failure in the kernel's
messages, such as a panic; an exit code that is not zero; the end of QEMU; the time limit. The first line of its log says
which, beginning with the failure's name:

%s

Each pattern is a test case of test.xml, with the time from QEMU's start until it was seen. The test's undeclared outputs
have the whole console, `console.log`, the result for programs, `result.json`, and QEMU's command line, `qemu-command.txt`.

Where there is no QEMU for the platform's architecture, the target is skipped.
""" % "\n".join(["    " + name + " " * (20 - len(name)) + meaning for name, meaning in FAILURES.items()]),
    test = True,
    toolchains = [QEMU_TOOLCHAIN_TYPE],
)

boot = rule(
    implementation = _boot_impl,
    attrs = BOOT_ATTRS,
    cfg = platform_transition,
    doc = """Boots a kernel with an initramfs in QEMU for `bazel run`, with its console on the terminal.

Example:

    boot(
        name = "boot",
        initramfs = ":image",
        kernel = ":kernel",
    )

Ctrl-A x leaves QEMU; Ctrl-C goes to the guest. The first process finds the kind of the terminal and its size at the
start in its environment, as TERM, LINES and COLUMNS; a serial line cannot tell when the size changes.

It succeeds when the guest ends by itself without a panic, or when the patterns of `expect` were seen.

Flags come behind `--`, as in `bazel run //:boot -- --append=quiet`: `--append=WORDS`, `--cpus=N`, `--gdb`, `--kvm=off`,
`--memory=MIB`, `--print-command`, `--help`.
""",
    executable = True,
    toolchains = [QEMU_TOOLCHAIN_TYPE],
)
