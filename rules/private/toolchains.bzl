"""Toolchains: the packer that makes archives, the QEMU that boots them."""

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
