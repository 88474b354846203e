"""Booting a kernel with an initramfs in QEMU."""

load(":archs.bzl", "ARCHS")
load(":efi_disk.bzl", "boot_path", "disk_action")
load(":paths.bzl", "label_text", "rlocation_path")
load(":platform_transition.bzl", "PLATFORM_ATTRS", "platform_transition")
load(":providers.bzl", "InitramfsInfo", "KernelInfo", "MeasurementsInfo", "PayloadInfo", "UefiVariablesInfo")
load(":renames.bzl", "check_renamed", "renamed_attrs")
load(":single_file.bzl", "single_file")
load(":tables.bzl", "FAILURES", "KERNEL_FAILURES", "OPTIONAL_FAILURES")
load(":test_exec.bzl", "TEST_EXEC_CFG", "test_exec_groups")
load(":toolchains.bzl", "PACKER_TOOLCHAIN_TYPE", "QEMU_TOOLCHAIN_TYPE")
load(":uimage.bzl", "uimage_action")

# The toolchains that a boot needs only with some values of its attributes. A target that needs one is skipped if the machine
# has none.
def _swtpm_of(tpm):
    return Label("//rules:current_swtpm") if tpm else None

def _uboot_of(firmware):
    return Label("//rules:current_uboot") if firmware == "u-boot" else None

def _uefi_of(firmware):
    return Label("//rules:current_uefi") if firmware == "uefi" else None

# Of all machines.
BOOT_ATTRS = PLATFORM_ATTRS | {
    "allow_failures": attr.string_list(
        doc = """Failures in the kernel's messages that do not fail the boot: %s. A pattern of `expect` that matches the words of a
message, such as "Initramfs unpacking failed", allows its kind from there on.""" % ", ".join(['"%s"' % name for name in KERNEL_FAILURES]),
    ),
    "bios": attr.label(
        allow_single_file = True,
        doc = "Firmware that runs before the kernel, for QEMU's -bios. By default QEMU's own for the machine.",
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
    "tpm": attr.bool(
        doc = """Whether the machine has a TPM 2.0, which is new in each boot. The firmware and the kernel measure what they start
into it, if they can.""",
    ),
    "_swtpm": attr.label(default = _swtpm_of),
}

# Of machines that may start with firmware of their own.
_FIRMWARE_ATTRS = {
    "firmware": attr.string(
        doc = """What starts the `payload`. "uefi": UEFI firmware, from a disk with an EFI system partition. "u-boot": U-Boot, from such
a disk. Without it, QEMU starts the `kernel` by itself.""",
        values = ["", "u-boot", "uefi"],
    ),
    "payload": attr.label(
        doc = """What the firmware starts, in place of `kernel` and `initramfs`: a `uki` or an `efi_image` for "uefi", a `fit_image`
for "u-boot".""",
        providers = [PayloadInfo],
    ),
    "required_key": attr.label(
        allow_single_file = True,
        doc = """With "u-boot": the certificate of the key that must have signed the payload. It is put into U-Boot's own device tree.
Of the U-Boots for QEMU's boards, that of arm64 verifies signatures.""",
    ),
    "secure_boot": attr.label(
        doc = """The keys of Secure Boot, a `uefi_variables`. The firmware then starts only what one of their signers has signed.""",
        providers = [UefiVariablesInfo],
    ),
    "_uboot": attr.label(default = _uboot_of),
    "_uefi": attr.label(default = _uefi_of),
}

# Of the machine that runs the test. It may be another one than the machine that runs the actions.
BOOT_TEST_EXEC_GROUPS = test_exec_groups([QEMU_TOOLCHAIN_TYPE])

def _runner_attr(cfg):
    return attr.label(cfg = cfg, default = Label("//tools/boot"), executable = True)

_TEST_ATTRS = BOOT_ATTRS | _FIRMWARE_ATTRS | {
    "expect_refusal": attr.bool(
        doc = """Whether the firmware must refuse to start the payload. The boot then passes with the failure `firmware-refused`, and
fails if the kernel starts.""",
    ),
    "input": attr.string_dict(
        doc = """Text to type on the console, by prompt: `{"login: $": "root\\n"}`. A prompt is a regular expression (RE2),
which need not match a whole line; the text is sent when the prompt was seen. The prompts must be seen in this order. A
prompt that comes twice is written in two ways, such as `# $` and `[#] $`.""",
    ),
    "measurements": attr.label(
        doc = """What the TPM must hold, `measurements` of the payload. The guest has to print it: `print_pcrs` of `guest_init`. The
test needs `tpm`.""",
        providers = [MeasurementsInfo],
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

# What a payload has already.
_NOT_WITH_PAYLOAD = ["bios", "initramfs", "kernel"]

# What it has if it is an EFI executable. The command line of a FIT image comes from U-Boot.
_NOT_WITH_UEFI = ["kernel_args", "kernel_cmdline", "required_key"]

# The formats that each firmware starts.
_FORMATS = {
    "u-boot": "fit",
    "uefi": "efi",
}

def _check_firmware(ctx):
    origin = label_text(ctx.label)
    firmware = getattr(ctx.attr, "firmware", "")
    if not firmware:
        if not ctx.attr.kernel:
            fail("%s: kernel: name one, or a payload and the firmware that starts it" % origin)
        for attribute in ["payload", "secure_boot", "expect_refusal", "measurements", "required_key"]:
            if getattr(ctx.attr, attribute, None):
                fail("%s: %s: set firmware, to \"uefi\" or \"u-boot\"" % (origin, attribute))
        return
    if not ctx.attr.payload:
        fail("%s: payload: name what the firmware starts" % origin)
    for attribute in _NOT_WITH_PAYLOAD + (_NOT_WITH_UEFI if firmware == "uefi" else []):
        if getattr(ctx.attr, attribute):
            fail("%s: %s: not with firmware = %r: the firmware starts the payload" % (origin, attribute, firmware))
    if getattr(ctx.attr, "measurements", None) and not ctx.attr.tpm:
        fail("%s: measurements: set tpm = True: the guest reads them there" % origin)
    payload = ctx.attr.payload[PayloadInfo]
    if payload.format != _FORMATS[firmware]:
        fail("%s: payload: %s is not what %s starts: %s" % (origin, label_text(ctx.attr.payload.label), firmware, {
            "u-boot": "use a fit_image",
            "uefi": "use a uki or an efi_image",
        }[firmware]))
    if ctx.attr.required_key and not payload.key_name and not getattr(ctx.attr, "expect_refusal", False):
        fail("%s: required_key: %s is not signed: set its signing_key or signer" % (origin, label_text(ctx.attr.payload.label)))
    if ctx.attr.secure_boot:
        if firmware != "uefi":
            fail("%s: secure_boot: only UEFI firmware has it" % origin)
        if not ctx.attr._uefi[platform_common.ToolchainInfo].secure_boot_code:
            fail("%s: secure_boot: the UEFI toolchain has no firmware that knows Secure Boot: set its secure_boot_code" % origin)
        variables = ctx.attr.secure_boot[UefiVariablesInfo]
        if variables.arch != payload.arch:
            fail("%s: secure_boot: %s is for %s, and the payload for %s: set platform on both" % (
                origin,
                label_text(ctx.attr.secure_boot.label),
                variables.arch,
                payload.arch,
            ))

def _boot_script(ctx, payload):
    """The script that U-Boot finds on the disk, which starts a FIT image."""
    words = ctx.attr.kernel_cmdline or ["console=" + ARCHS[payload.arch].console, "panic=-1"] + ctx.attr.kernel_args
    for word in words:
        if [c for c in ["'", "\n"] if c in word]:
            fail("%s: the kernel's command line has %r, which a script of U-Boot cannot hold" % (label_text(ctx.label), word))
    text = ctx.actions.declare_file(ctx.label.name + ".boot.cmd")
    script = ctx.actions.declare_file(ctx.label.name + ".boot.scr")
    ctx.actions.write(text, "\n".join([
        "setenv bootargs '%s'" % " ".join(words),
        "load ${devtype} ${devnum}:${distro_bootpart} ${kernel_addr_r} /image.itb",
        # Without device trees in the image, the kernel gets the machine's, which U-Boot has.
        "bootm ${kernel_addr_r}" if payload.device_trees else "bootm ${kernel_addr_r} ${kernel_addr_r} ${fdtcontroladdr}",
        # What was not started ends the machine.
        "poweroff",
    ]) + "\n")
    uimage_action(ctx, script, "script", payload.arch, [text])
    return script

# Debian builds the driver of a TPM only into the firmware for arm64 that has Secure Boot too.
_MEASURES_WITH_SECURE_BOOT = ["arm64"]

def _uefi_code(ctx, uefi, arch):
    """The firmware that can do what the attributes want."""
    if ctx.attr.secure_boot or (ctx.attr.tpm and uefi.secure_boot_code and arch in _MEASURES_WITH_SECURE_BOOT):
        return uefi.secure_boot_code
    return uefi.code

def _firmware(ctx):
    """What the runner needs of the firmware: a dict of keys of the description to Files, and one of other values."""
    files, values = {}, {}
    if getattr(ctx.attr, "firmware", "") == "uefi":
        payload = ctx.attr.payload[PayloadInfo]
        uefi = ctx.attr._uefi[platform_common.ToolchainInfo]
        secure = ctx.attr.secure_boot
        disk = ctx.actions.declare_file(ctx.label.name + ".payload.img")
        disk_action(ctx, disk, {boot_path(payload.arch): payload.image})
        files = {
            "payload": payload.image,
            "payload_disk": disk,
            "uefi_code": _uefi_code(ctx, uefi, payload.arch),
            "uefi_variables": secure[UefiVariablesInfo].store if secure else uefi.variables,
        }
        values = {"secure_boot": bool(secure)}
    elif getattr(ctx.attr, "firmware", "") == "u-boot":
        payload = ctx.attr.payload[PayloadInfo]
        disk = ctx.actions.declare_file(ctx.label.name + ".payload.img")
        disk_action(ctx, disk, {
            "boot.scr": _boot_script(ctx, payload),
            "image.itb": payload.image,
        })
        files = {
            "payload": payload.image,
            "payload_disk": disk,
            "uboot": ctx.attr._uboot[platform_common.ToolchainInfo].image,
        }
        if ctx.file.required_key:
            files["uboot_key"] = ctx.file.required_key
            values = {"uboot_key_name": payload.key_name or "required"}
    if getattr(ctx.attr, "measurements", None):
        files["measurements"] = ctx.attr.measurements[MeasurementsInfo].report
    return files, values

def _check(ctx):
    _check_failures(ctx, "allow_failures", KERNEL_FAILURES, OPTIONAL_FAILURES, "it fails only boots that list it in fail_on")
    _check_failures(ctx, "fail_on", OPTIONAL_FAILURES, KERNEL_FAILURES, "it fails all boots that do not list it in allow_failures")
    _check_firmware(ctx)
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
    kernel = ctx.attr.kernel[KernelInfo] if ctx.attr.kernel else None
    firmware_files, firmware_values = _firmware(ctx)
    swtpm = ctx.attr._swtpm[platform_common.ToolchainInfo] if ctx.attr.tpm else None

    # The runner joins the parts, so that the whole image is neither written nor downloaded for it.
    parts = ctx.attr.initramfs[InitramfsInfo].parts if ctx.attr.initramfs else []
    disks = [single_file("%s: disks" % label_text(ctx.label), target) for target in ctx.attr.disks]

    # Only a debugger reads it.
    vmlinux = kernel.vmlinux if kernel and interactive else None

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
        "arch": kernel.arch if kernel else ctx.attr.payload[PayloadInfo].arch,
        "bios": path(ctx.file.bios),
        "cpus": ctx.attr.cpus,
        "disk_bus": ctx.attr.disk_bus,
        "disks": [path(disk) for disk in disks],
        "exit_code_pattern": getattr(ctx.attr, "exit_code_pattern", None) or None,
        "expect": getattr(ctx.attr, "expect", []),
        "expect_unordered": getattr(ctx.attr, "expect_unordered", []),
        "fail_on": ctx.attr.fail_on,
        "files": [path(file) for file in ctx.files.files],
        "expect_refusal": getattr(ctx.attr, "expect_refusal", False),
        "firmware": getattr(ctx.attr, "firmware", ""),
        "forbid": ctx.attr.forbid,
        "initramfs": [path(part) for part in parts],
        "input": [{"expect": prompt, "send": text} for prompt, text in input.items()],
        "interactive": interactive,
        "kernel": path(kernel.image if kernel else None),
        "kernel_args": ctx.attr.kernel_args,
        "kernel_cmdline": ctx.attr.kernel_cmdline,
        "kvm": ctx.attr.kvm,
        "label": label_text(ctx.label),
        "machine": ctx.attr.machine,
        "memory_mib": ctx.attr.memory,
        "network": ctx.attr.network,
        "qemu": path(qemu.executable),
        "qemu_version": qemu.version,
        "swtpm": path(swtpm.executable if swtpm else None),
        "swtpm_version": swtpm.version if swtpm else "",
        "time_limit_s": ctx.attr.time_limit,
        "tpm": ctx.attr.tpm,
        "vmlinux": path(vmlinux),
    } | {key: path(file) for key, file in firmware_files.items()} | firmware_values) + "\n")
    runfiles = ctx.runfiles(
        [config] + parts + disks + ctx.files.files + files + firmware_files.values() + [
            file
            for file in [
                ctx.file.bios,
                kernel.image if kernel else None,
                qemu.executable,
                swtpm.executable if swtpm else None,
                vmlinux,
            ]
            if file
        ],
    ).merge(qemu.runfiles)
    if swtpm:
        runfiles = runfiles.merge(swtpm.runfiles)
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

With `firmware` and a `payload`, the machine starts as a product does:

    boot_test(
        name = "product_test",
        expect = ["Welcome"],
        firmware = "uefi",
        payload = ":product",
        secure_boot = ":enrolled_keys",
    )

The target is skipped if there is no QEMU for the platform's architecture, or not the firmware or the TPM that it needs.
""" % "\n".join(["    " + name + " " * (20 - len(name)) + meaning for name, meaning in FAILURES.items()]),
    exec_groups = BOOT_TEST_EXEC_GROUPS,
    test = True,
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)

boot = rule(
    implementation = _boot_impl,
    attrs = BOOT_ATTRS | _FIRMWARE_ATTRS | renamed_attrs("boot") | {"_runner": _runner_attr("exec")},
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
    toolchains = [
        PACKER_TOOLCHAIN_TYPE,
        QEMU_TOOLCHAIN_TYPE,
    ],
)
