"""Tests that run in a guest."""

load(":boot.bzl", "BOOT_ATTRS", "boot_requirements", "describe_boot")
load(":guest_init.bzl", "guest_init")
load(":initramfs.bzl", "initramfs")
load(":paths.bzl", "rlocation_path")
load(":platform_transition.bzl", "platform_transition")
load(":toolchains.bzl", "QEMU_TOOLCHAIN_TYPE")

# What a boot is judged by, and what is the macro's own.
_NOT_OF_A_GUEST = ["exit_code_pattern", "expect", "expect_unordered", "_runner"]

def _guest_test_impl(ctx):
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
    attrs = {name: attribute for name, attribute in BOOT_ATTRS.items() if name not in _NOT_OF_A_GUEST} | {
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
    """Runs a test in a guest that QEMU boots, as root and as if it were alone on the machine.

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

    The test is any executable that needs nothing but the kernel, such as a go_test that is pure or a cc_test that is
    linked statically, or what finds its libraries and its shell in `layers`. Its data files and runfiles come along. In
    the guest it is /guest/test, with the arguments and the environment that Bazel gives to tests (`--test_arg`,
    `--test_env`, `--test_filter`, shards), and GUEST_TEST=1; its folder is that of its runfiles, as on the host.

    What it prints is in the log, and its exit code is the result. test.xml is the one that it writes, or Bazel's own; its
    undeclared outputs are the test's, beside `console.log`. All of it comes over the console, which is no way for many
    megabytes. When the guest fails, the log says how, as that of a `boot_test` does.

    Args:
        name: the test's name. `NAME.image` is the initramfs that it boots.
        test: the test.
        kernel: the kernel.
        platform: the platform to build for. By default the one of the command line.
        layers: layers of the initramfs, beside the test.
        modules: modules of the kernel to load before the test, as of `guest_init`; a layer has them.
        lint: what becomes of the rules of packer lint, as of `initramfs`.
        env: dict of variables for the test's environment, beside those of its target.
        tags: tags of all targets.
        visibility: who may name the targets.
        **boot: attributes of `boot_test` for the machine (`append`, `memory`, `cpus`, `disks`, `kvm`...), and those of all
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
