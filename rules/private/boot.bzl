"""Booting a kernel with an initramfs in QEMU."""

load(":paths.bzl", "label_text", "rlocation_path")
load(":platform_transition.bzl", "PLATFORM_ATTRS", "platform_transition")
load(":providers.bzl", "InitramfsInfo", "KernelInfo")
load(":renames.bzl", "check_renamed", "renamed_attrs")
load(":single_file.bzl", "single_file")
load(":tables.bzl", "FAILURES", "KERNEL_FAILURES", "OPTIONAL_FAILURES")
load(":test_exec.bzl", "TEST_EXEC_CFG", "test_exec_groups")
load(":toolchains.bzl", "QEMU_TOOLCHAIN_TYPE")

BOOT_ATTRS = PLATFORM_ATTRS | {
    "allow_failures": attr.string_list(
        doc = """Failures in the kernel's messages that do not fail the boot: %s. A pattern of `expect` that matches the words of a
message, such as "Initramfs unpacking failed", allows its kind from there on.""" % ", ".join(['"%s"' % name for name in KERNEL_FAILURES]),
    ),
    "cpus": attr.int(
        default = 1,
        doc = "The number of the machine's CPUs. A test reserves as many of Bazel's, unless it has a tag `cpu:N`.",
    ),
    "disk_bus": attr.string(
        default = "virtio",
        doc = """What the disks are connected to. "virtio": they are /dev/vda, /dev/vdb and so on, in the order of `disks`.
"nvme": each disk has an NVMe controller of its own with the serial number `disk0`, `disk1` and so on, and is /dev/nvme0n1,
/dev/nvme1n1 and so on. A kernel finds several controllers in any order: name a file system by its label or UUID.""",
        values = ["nvme", "virtio"],
    ),
    "disks": attr.label_list(
        allow_files = True,
        doc = """Raw disk images, one file each, which are disks of the guest on the `disk_bus`. What the guest writes is
lost when it ends: the files do not change.""",
    ),
    "exit_code_pattern": attr.string(
        doc = """A regular expression (RE2) with one group, which matches the line in which the guest reports its exit
code: `^tests ended with ([0-9]+)$`. The boot fails unless the line is seen and the number is 0.""",
    ),
    "expect": attr.string_list(
        doc = """Regular expressions (RE2) that lines of the console must match, in this order: `["^Welcome", "login:"]`.
The machine is stopped when everything expected was seen: here and in `expect_unordered`, `exit_code_pattern` and `input`.
Without `expect`, `expect_unordered` and `exit_code_pattern`, the guest must end by itself.""",
    ),
    "expect_unordered": attr.string_list(
        doc = "Regular expressions (RE2) that lines of the console must match, in any order, in addition to those of `expect`.",
    ),
    "fail_on": attr.string_list(
        doc = """More failures in the kernel's messages that fail the boot: %s. By default they do not, because kernels report
them in guests that work.""" % ", ".join(['"%s"' % name for name in OPTIONAL_FAILURES]),
    ),
    "files": attr.label_list(
        allow_files = True,
        doc = """Files and directories that the guest may read, each under its base name, in a virtio-9p share whose
mount tag is `files`: `mount -t 9p -o trans=virtio,ro files /mnt`. The kernel needs CONFIG_NET_9P_VIRTIO and
CONFIG_9P_FS.""",
    ),
    "firmware": attr.label(
        allow_single_file = True,
        doc = "The firmware that runs before the kernel, for QEMU's -bios. By default QEMU's own for the machine.",
    ),
    "forbid": attr.string_list(
        doc = """Regular expressions (RE2) that no line of the console may match. The kernel's messages about failures
are forbidden anyway: see `allow_failures`.""",
    ),
    "initramfs": attr.label(
        doc = """The initramfs. Without one, the kernel unpacks the one that is linked into it; with one, it unpacks both, this
one last.""",
        providers = [InitramfsInfo],
    ),
    "kernel": attr.label(
        doc = "The kernel: a `kernel_build`, `kernel_image` or `kernel_import`.",
        mandatory = True,
        providers = [KernelInfo],
    ),
    "kernel_args": attr.string_list(
        doc = """Arguments to add to the kernel's command line, after those that the machine needs:
`["quiet", "root=/dev/vda"]`.""",
    ),
    "kernel_cmdline": attr.string_list(
        doc = """The whole command line of the kernel, one argument each, in place of those that the machine needs (`console=`,
`panic=-1` and, on x86_64, `no_timer_check=1`) and of `kernel_args`. A kernel without a `console=` prints nothing.""",
    ),
    "kvm": attr.string(
        default = "auto",
        doc = """Whether KVM runs the guest. "auto": if it can, which takes a guest of the host's architecture and a working
/dev/kvm; otherwise QEMU emulates the guest, which is many times slower, and the log says why. "off": never, so that guests
are the same everywhere. "on": always, or the test fails; the test gets the tag `requires-kvm`.""",
        values = ["auto", "off", "on"],
    ),
    "machine": attr.string(
        doc = """QEMU's -machine, with properties. By default q35 on x86_64, and virt on others. Its first serial port
must be the default machine's, unless `kernel_cmdline` names another console.""",
    ),
    "memory": attr.int(
        default = 512,
        doc = "The machine's memory, in MiB.",
    ),
    "network": attr.string(
        default = "none",
        doc = """"none", or "user": a virtio network card on QEMU's user network, which gives the guest an address by DHCP
and reaches whatever the test itself can reach.""",
        values = ["none", "user"],
    ),
    "time_limit": attr.int(
        doc = """Seconds after which the boot fails. By default 90% of the test's timeout; `bazel run` has no limit by
default.""",
    ),
}

# Of the machine that runs the test. It may be another one than the machine that runs the actions.
BOOT_TEST_EXEC_GROUPS = test_exec_groups([QEMU_TOOLCHAIN_TYPE])

def _runner_attr(cfg):
    return attr.label(cfg = cfg, default = Label("//tools/boot"), executable = True)

_TEST_ATTRS = BOOT_ATTRS | {
    "input": attr.string_dict(
        doc = """Text to type on the console, by prompt: `{"login: $": "root\\n"}`. A prompt is a regular expression (RE2),
which need not match a whole line; the text is sent when the prompt was seen. The prompts must be seen in this order. A
prompt that comes twice is written in two ways, such as `# $` and `[#] $`.""",
    ),
    "_runner": _runner_attr(TEST_EXEC_CFG),
}

def _check_failures(ctx, attribute, known, elsewhere, hint):
    """Fails unless an attribute lists only known failures. The hint is about those of another attribute."""
    for name in getattr(ctx.attr, attribute):
        if name not in known:
            fail("%s: %s: %r is not one of %s%s" % (
                label_text(ctx.label),
                attribute,
                name,
                ", ".join(known),
                ": " + hint if name in elsewhere else "",
            ))

def _check(ctx):
    _check_failures(ctx, "allow_failures", KERNEL_FAILURES, OPTIONAL_FAILURES, "it fails only boots that list it in fail_on")
    _check_failures(ctx, "fail_on", OPTIONAL_FAILURES, KERNEL_FAILURES, "it fails all boots that do not list it in allow_failures")
    if ctx.attr.kernel_cmdline and ctx.attr.kernel_args:
        fail("%s: kernel_args: kernel_cmdline is the whole command line: add the arguments there" % label_text(ctx.label))
    owners = {}
    for file in ctx.files.files:
        if file.basename in owners:
            fail("%s: files: %s and %s have the same base name, %s" % (
                label_text(ctx.label),
                label_text(owners[file.basename]),
                label_text(file.owner),
                file.basename,
            ))
        owners[file.basename] = file.owner

def describe_boot(ctx, runner, qemu, interactive = False, input = {}, files = []):
    """Describes a boot to the program that runs it.

    Args:
        ctx: the context of a rule with attributes of BOOT_ATTRS, with or without those that say what is expected.
        runner: the target that runs the boot. It finds the description next to it, under its own name plus .boot.json.
        qemu: the toolchain of QEMU.
        interactive: whether the console is the terminal.
        input: dict of a prompt to its answer.
        files: list of File: what else the runner needs.

    Returns:
        A DefaultInfo.
    """
    _check(ctx)
    kernel = ctx.attr.kernel[KernelInfo]

    # The runner joins the parts, so that the whole image is neither written nor downloaded for it.
    parts = ctx.attr.initramfs[InitramfsInfo].parts if ctx.attr.initramfs else []
    disks = [single_file("%s: disks" % label_text(ctx.label), target) for target in ctx.attr.disks]

    # Only a debugger reads it.
    vmlinux = kernel.vmlinux if interactive else None

    # The runner reads the file next to it that has its own name.
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
        "allow_failures": ctx.attr.allow_failures,
        "arch": kernel.arch,
        "cpus": ctx.attr.cpus,
        "disk_bus": ctx.attr.disk_bus,
        "disks": [path(disk) for disk in disks],
        "exit_code_pattern": getattr(ctx.attr, "exit_code_pattern", None) or None,
        "expect": getattr(ctx.attr, "expect", []),
        "expect_unordered": getattr(ctx.attr, "expect_unordered", []),
        "fail_on": ctx.attr.fail_on,
        "files": [path(file) for file in ctx.files.files],
        "firmware": path(ctx.file.firmware),
        "forbid": ctx.attr.forbid,
        "initramfs": [path(part) for part in parts],
        "input": [{"expect": prompt, "send": text} for prompt, text in input.items()],
        "interactive": interactive,
        "kernel": path(kernel.image),
        "kernel_args": ctx.attr.kernel_args,
        "kernel_cmdline": ctx.attr.kernel_cmdline,
        "kvm": ctx.attr.kvm,
        "label": label_text(ctx.label),
        "machine": ctx.attr.machine,
        "memory_mib": ctx.attr.memory,
        "network": ctx.attr.network,
        "qemu": path(qemu.executable),
        "qemu_version": qemu.version,
        "time_limit_s": ctx.attr.time_limit,
        "vmlinux": path(vmlinux),
    }) + "\n")
    runfiles = ctx.runfiles(
        [config, kernel.image] + parts + disks + ctx.files.files + files +
        [file for file in [ctx.file.firmware, qemu.executable, vmlinux] if file],
    ).merge(qemu.runfiles)
    return DefaultInfo(
        executable = executable,
        files = depset([executable]),
        runfiles = runfiles.merge(runner[DefaultInfo].default_runfiles),
    )

def test_qemu(ctx):
    """Returns the toolchain of QEMU for the machine that runs a test.

    Args:
        ctx: the context of a rule with BOOT_TEST_EXEC_GROUPS.

    Returns:
        A ToolchainInfo.
    """
    return ctx.exec_groups["test"].toolchains[QEMU_TOOLCHAIN_TYPE]

def boot_requirements(ctx):
    """Returns what a test needs of the machine that runs it, in the words of tags.

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
    check_renamed(ctx, "boot_test")
    return [
        describe_boot(ctx, ctx.attr._runner, test_qemu(ctx), input = ctx.attr.input),
        boot_requirements(ctx),
    ]

def _boot_impl(ctx):
    check_renamed(ctx, "boot")
    return [describe_boot(ctx, ctx.attr._runner, ctx.toolchains[QEMU_TOOLCHAIN_TYPE], interactive = True)]

boot_test = rule(
    implementation = _boot_test_impl,
    attrs = _TEST_ATTRS | renamed_attrs("boot_test"),
    cfg = platform_transition,
    doc = """Boots a kernel with an initramfs in QEMU and reads its console.

Example:

    boot_test(
        name = "boots_test",
        expect = ["Welcome"],
        initramfs = ":image",
        kernel = ":kernel",
    )

The test ends at the first of these: everything expected was seen; a pattern of `forbid` was seen; the kernel reported a
failure, such as a panic; an exit code was not 0; QEMU ended; the time limit was reached. The first line of the log says
which, and begins with the name of the failure:

%s

Each pattern is a test case in test.xml, with the time from QEMU's start until it was seen. The test's undeclared outputs
have the whole console, `console.log`, the result for programs, `result.json`, and QEMU's command line, `qemu-command.txt`.

The target is skipped if there is no QEMU for the platform's architecture.
""" % "\n".join(["    " + name + " " * (20 - len(name)) + meaning for name, meaning in FAILURES.items()]),
    exec_groups = BOOT_TEST_EXEC_GROUPS,
    test = True,
)

boot = rule(
    implementation = _boot_impl,
    attrs = BOOT_ATTRS | renamed_attrs("boot") | {"_runner": _runner_attr("exec")},
    cfg = platform_transition,
    doc = """Boots a kernel with an initramfs in QEMU for `bazel run`, with its console on the terminal.

Example:

    boot(
        name = "boot",
        initramfs = ":image",
        kernel = ":kernel",
    )

Ctrl-A x leaves QEMU; Ctrl-C goes to the guest. The guest's first process has the type and the size of the terminal in its
environment, as TERM, LINES and COLUMNS; a serial line does not report later changes of the size.

The run succeeds if the guest ends by itself without a panic, or if the patterns of `expect` were seen.

Options of the boot come after `--`, as in `bazel run //:boot -- --help`, which prints all of them.
""",
    executable = True,
    toolchains = [QEMU_TOOLCHAIN_TYPE],
)
