"""Toolchains: the packer that makes archives, the compilers of kernels, the QEMU that boots them."""

KERNEL_TOOLCHAIN_TYPE = Label("//rules:kernel_toolchain_type")
PACKER_TOOLCHAIN_TYPE = Label("//rules:packer_toolchain_type")
QEMU_TOOLCHAIN_TYPE = Label("//rules:qemu_toolchain_type")

def _packer_toolchain_impl(ctx):
    return [platform_common.ToolchainInfo(
        packer = ctx.attr.packer[DefaultInfo].files_to_run,
    )]

packer_toolchain = rule(
    implementation = _packer_toolchain_impl,
    attrs = {
        "packer": attr.label(
            allow_files = True,
            cfg = "exec",
            doc = "The packer's executable.",
            executable = True,
            mandatory = True,
        ),
    },
    doc = """A packer, for `toolchain(toolchain_type = "@rules_initramfs//rules:packer_toolchain_type")`.""",
)

def _kernel_toolchain_impl(ctx):
    return [platform_common.ToolchainInfo(
        compiler_version = ctx.attr.compiler_version,
        cross_compile = ctx.attr.cross_compile,
        linker_version = ctx.attr.linker_version,
        path = ctx.attr.path,
    )]

kernel_toolchain = rule(
    implementation = _kernel_toolchain_impl,
    attrs = {
        "compiler_version": attr.string(
            doc = """The first line of what the compiler says to --version. It is checked before anything is
compiled, and a kernel is compiled anew when it changes.""",
            mandatory = True,
        ),
        "cross_compile": attr.string(
            doc = "What the names of the compiler's programs begin with, such as aarch64-linux-gnu-; empty for gcc itself.",
        ),
        "linker_version": attr.string(
            doc = "The first line of what the linker says to --version, as compiler_version.",
            mandatory = True,
        ),
        "path": attr.string(
            doc = """The folders of the compiler, make, flex, bison, bc and whatever else kbuild calls, on the machine
that compiles: absolute, a colon between two.""",
            mandatory = True,
        ),
    },
    doc = """What compiles kernels for one architecture, for
`toolchain(toolchain_type = "@rules_initramfs//rules:kernel_toolchain_type")`, whose
`target_compatible_with` says which.""",
)

def _qemu_toolchain_impl(ctx):
    return [platform_common.ToolchainInfo(
        path = ctx.attr.path,
        version = ctx.attr.version,
    )]

qemu_toolchain = rule(
    implementation = _qemu_toolchain_impl,
    attrs = {
        "path": attr.string(
            doc = "The absolute path of a qemu-system-* on the machine that runs the tests.",
            mandatory = True,
        ),
        "version": attr.string(
            doc = "What it says its version is: a test is run anew when it changes.",
            mandatory = True,
        ),
    },
    doc = """A QEMU for one architecture of guests, for
`toolchain(toolchain_type = "@rules_initramfs//rules:qemu_toolchain_type")`, whose
`target_compatible_with` says which.""",
)
