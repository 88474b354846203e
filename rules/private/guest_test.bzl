"""Tests that run in a guest."""

load(":boot.bzl", "BOOT_ATTRS", "BOOT_TEST_EXEC_GROUPS", "boot_requirements", "describe_boot", "test_qemu")
load(":common_attrs.bzl", "internal_attrs")
load(":entries.bzl", "binary_entry", "dir_entry", "file_entry")
load(":guest_init.bzl", "guest_init")
load(":initramfs.bzl", "initramfs")
load(":layer_info.bzl", "initramfs_layer_info")
load(":paths.bzl", "label_text", "rlocation_path")
load(":platform_transition.bzl", "platform_transition")
load(":providers.bzl", "InitramfsLayerInfo")
load(":renames.bzl", "check_renamed", "renamed_attrs")
load(":test_exec.bzl", "TEST_EXEC_CFG")

# guest_test judges the boot itself, and has a runner of its own.
_NOT_OF_A_GUEST = ["exit_code_pattern", "expect", "expect_unordered"]

# Bazel removes the options of tests (--test_arg, --runs_per_test...) from the configuration of targets that are not
# tests. It would then build the test twice into the same files: once for whoever asks for the test itself, and once for
# the image. Many rules, such as cc_test, have actions that may not be there twice. This value of the attribute
# `transitive_configs` keeps the options.
_KEEP_TEST_OPTIONS = ["@@//command_line_option/fragment:test"]

_TEST_ATTR = attr.label(cfg = "target", executable = True, mandatory = True)

def _guest_program_impl(ctx):
    origin = label_text(ctx.label)
    info = initramfs_layer_info([
        binary_entry(origin, "/guest/test", ctx.attr.test, ctx.workspace_name, attribute = "test"),
        dir_entry(origin, "/guest/outputs"),
        file_entry(origin, "/guest/agent", ctx.executable._agent, mode = "0755"),
    ])
    return [info, DefaultInfo(files = info.files)]

_guest_program = rule(
    implementation = _guest_program_impl,
    attrs = {
        "test": _TEST_ATTR,
        "_agent": attr.label(cfg = "target", default = Label("//tools/guest/agent"), executable = True),
    },
    doc = "A layer with a test, and with the program that runs it.",
    provides = [InitramfsLayerInfo],
)

def _guest_test_impl(ctx):
    check_renamed(ctx, "guest_test")
    settings = ctx.actions.declare_file(ctx.label.name + ".guest.json")
    environment, inherited = {}, []
    if RunEnvironmentInfo in ctx.attr.test:
        environment = ctx.attr.test[RunEnvironmentInfo].environment
        inherited = ctx.attr.test[RunEnvironmentInfo].inherited_environment
    ctx.actions.write(settings, json.encode_indent({
        "env": environment | ctx.attr.env,
        "executable": rlocation_path(ctx.workspace_name, ctx.executable.test),
        "workspace": ctx.workspace_name,
    }) + "\n")
    return [
        describe_boot(ctx, ctx.attr._guest, test_qemu(ctx), files = [settings]),
        boot_requirements(ctx),
        RunEnvironmentInfo(inherited_environment = inherited),
    ]

_guest_test = rule(
    implementation = _guest_test_impl,
    attrs = {name: attribute for name, attribute in BOOT_ATTRS.items() if name not in _NOT_OF_A_GUEST} | renamed_attrs("guest_test") | {
        "env": attr.string_dict(),
        "test": _TEST_ATTR,
        "_guest": attr.label(cfg = TEST_EXEC_CFG, default = Label("//tools/guest"), executable = True),
    },
    cfg = platform_transition,
    exec_groups = BOOT_TEST_EXEC_GROUPS,
    test = True,
)

def guest_test(
        name,
        test,
        kernel,
        platform = None,
        layers = [],
        modules = [],
        module_parameters = {},
        autoload = False,
        autoload_blocklist = [],
        lint = {},
        env = {},
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
        modules: list of kernel modules to load before the test, as for `guest_init`; their files are in `layers`, such as
            in a `kernel_modules`.
        module_parameters: dict of parameters of modules by their names, as for `guest_init`.
        autoload: whether the modules in `layers` that serve the machine's devices are loaded before the test and while it
            runs, as for `guest_init`.
        autoload_blocklist: list of names of modules that `autoload` leaves out, as for `guest_init`.
        lint: dict of severities of rules of `packer lint`, as for `initramfs`.
        env: dict of environment variables for the test, in addition to those of its target.
        visibility: visibility of the test and of the initramfs.
        **boot: attributes of `boot_test` for the machine (`kernel_args`, `memory`, `cpus`, `disks`, `kvm`...), those of all
            tests (`args`, `size`, `timeout`, `shard_count`, `flaky`...), and those of all rules (`tags`,
            `target_compatible_with`...), which `NAME.image` has too.
    """
    common = {"testonly": True} | boot
    internal = internal_attrs(common)
    guest_init(
        name = name + ".init",
        autoload = autoload,
        autoload_blocklist = autoload_blocklist,
        command = "/guest/agent",
        module_parameters = module_parameters,
        modules = modules,
        **internal
    )
    _guest_program(
        name = name + ".program",
        test = test,
        transitive_configs = _KEEP_TEST_OPTIONS,
        **internal
    )
    initramfs(
        name = name + ".image",
        layers = [":%s.init" % name, ":%s.program" % name] + layers,
        lint = lint,
        platform = platform,
        transitive_configs = _KEEP_TEST_OPTIONS,
        **internal_attrs(common, visibility = visibility)
    )
    _guest_test(
        name = name,
        env = env,
        initramfs = ":%s.image" % name,
        kernel = kernel,
        platform = platform,
        test = test,
        visibility = visibility,
        **boot
    )
