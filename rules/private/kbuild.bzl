"""Actions of tools/kernel, which runs kbuild."""

load(":toolchains.bzl", "KERNEL_TOOLCHAIN_TYPE")

# For rules that call kbuild_action.
KBUILD_ATTRS = {
    "_kernel": attr.label(
        cfg = "exec",
        default = Label("//tools/kernel"),
        executable = True,
    ),
}

def source_resources(_os, _inputs):
    """What an action needs that unpacks a kernel's source and does little else: xz and the program run at once."""
    return {
        "cpu": 2,
        "memory": 512,
    }

def kbuild_action(ctx, mnemonic, progress, command, arch, arguments, inputs, outputs, resource_set):
    """Runs a command of tools/kernel.

    Args:
        ctx: the context of a rule with KBUILD_ATTRS and the kernel toolchain.
        mnemonic: the mnemonic of the action.
        progress: the progress message, without the label.
        command: the command.
        arch: the kernel's architecture, a key of ARCHS.
        arguments: Args, the command's own options.
        inputs: list of File.
        outputs: list of File.
        resource_set: a function that returns what the action needs, for Bazel's scheduler.
    """
    toolchain = ctx.toolchains[KERNEL_TOOLCHAIN_TYPE]
    common = ctx.actions.args()
    common.add(command)
    common.add("--arch", arch)
    common.add("--compiler-version", toolchain.compiler_version)
    common.add("--cross-compile", toolchain.cross_compile)
    common.add("--linker-version", toolchain.linker_version)
    common.add("--path", toolchain.path)
    ctx.actions.run(
        arguments = [common, arguments],
        executable = ctx.executable._kernel,
        execution_requirements = {"supports-path-mapping": "1"},
        inputs = inputs,
        mnemonic = mnemonic,
        outputs = outputs,
        progress_message = progress + " %{label}",
        resource_set = resource_set,
        toolchain = KERNEL_TOOLCHAIN_TYPE,
    )
