"""Tests that run in a guest."""

load(":boot.bzl", "BOOT_ATTRS", "boot_requirements", "describe_boot")
load(":guest_init.bzl", "guest_init")
load(":initramfs.bzl", "initramfs")
load(":paths.bzl", "rlocation_path")
load(":platform_transition.bzl", "platform_transition")
load(":renames.bzl", "check_renamed", "renamed_attrs")
load(":toolchains.bzl", "QEMU_TOOLCHAIN_TYPE")

# guest_test judges the boot itself, and has a runner of its own.
_NOT_OF_A_GUEST = ["exit_code_pattern", "expect", "expect_unordered", "_runner"]

def _guest_test_impl(ctx):
    check_renamed(ctx, "guest_test")
    settings = ctx.actions.declare_file(ctx.label.name + ".guest.json")
    environment = ctx.attr.test[RunEnvironmentInfo].environment if RunEnvironmentInfo in ctx.attr.test else {}
    ctx.actions.write(settings, json.encode_indent({
        "env": environment | ctx.attr.env,
        "executable": rlocation_path(ctx.workspace_name, ctx.executable.test),
        "workspace": ctx.workspace_name,
    }) + "\n")
    boot = describe_boot(ctx, runner = ctx.attr._guest, files = [settings])
    return [boot, boot_requirements(ctx)]

_guest_test = rule(
    implementation = _guest_test_impl,
    attrs = {name: attribute for name, attribute in BOOT_ATTRS.items() if name not in _NOT_OF_A_GUEST} | renamed_attrs("guest_test") | {
        "env": attr.string_dict(),
        "test": attr.label(cfg = "target", executable = True, mandatory = True),
        "_guest": attr.label(cfg = "exec", default = Label("//tools/guest"), executable = True),
    },
    cfg = platform_transition,
    test = True,
    toolchains = [QEMU_TOOLCHAIN_TYPE],
)

def guest_test(
        name,
        test,
        kernel,
        platform = None,
        layers = [],
        modules = [],
        lint = {},
        env = {},
        tags = [],
        visibility = None,
        **boot):
    """Runs a test in a guest that QEMU boots, as root and with a machine to itself.

    Example:

        go_test(
            name = "mount_test",
            srcs = ["mount_test.go"],
            pure = "on",
        )

        guest_test(
            name = "mount_guest_test",
            kernel = ":kernel",
            test = ":mount_test",
        )

    The test is any executable that needs nothing but the kernel, such as a pure go_test or a statically linked cc_test, or
    whose libraries and shell are in `layers`. Its data files and runfiles come along. In the guest it is /guest/test. It
    gets the arguments and the environment that Bazel gives to tests (`--test_arg`, `--test_env`, `--test_filter`, shards),
    and GUEST_TEST=1. It runs in its runfiles directory, as on the host.

    The log has what the test prints, and the test's exit code is the result. test.xml is the one that the test writes, or
    else Bazel's own. The test's undeclared outputs are kept, next to `console.log`. Everything comes over the console,
    which is too slow for many megabytes. If the guest fails, the log says how, as for a `boot_test`.

    Args:
        name: the test's name. `NAME.image` is the initramfs that it boots.
        test: the label of the test.
        kernel: the label of the kernel: a `kernel_build`, `kernel_image` or `kernel_import`.
        platform: the platform to build for. By default the one of the command line.
        layers: list of layers to add to the initramfs.
        modules: list of kernel modules to load before the test, as for `guest_init`; their files are in `layers`.
        lint: dict of severities of rules of `packer lint`, as for `initramfs`.
        env: dict of environment variables for the test, in addition to those of its target.
        tags: tags of all targets.
        visibility: visibility of the test and of the initramfs.
        **boot: attributes of `boot_test` for the machine (`kernel_args`, `memory`, `cpus`, `disks`, `kvm`...), and those of all
            tests (`args`, `size`, `timeout`, `shard_count`, `flaky`...).
    """
    guest_init(
        name = name + ".init",
        testonly = True,
        command = "/guest/agent",
        modules = modules,
        tags = tags,
        visibility = ["//visibility:private"],
    )
    initramfs(
        name = name + ".image",
        testonly = True,
        binaries = {"/guest/test": test},
        dirs = ["/guest/outputs"],
        files = {"/guest/agent": Label("//tools/guest/agent")},
        layers = [":%s.init" % name] + layers,
        lint = lint,
        platform = platform,
        tags = tags,
        visibility = visibility,
    )
    _guest_test(
        name = name,
        env = env,
        initramfs = ":%s.image" % name,
        kernel = kernel,
        platform = platform,
        tags = tags,
        test = test,
        visibility = visibility,
        **boot
    )
