"""Toolchains: the packer that makes images, the compilers for kernels, and the machines and firmware that boot them."""

KERNEL_TOOLCHAIN_TYPE = Label("//rules:kernel_toolchain_type")
PACKER_TOOLCHAIN_TYPE = Label("//rules:packer_toolchain_type")
QEMU_TOOLCHAIN_TYPE = Label("//rules:qemu_toolchain_type")
SWTPM_TOOLCHAIN_TYPE = Label("//rules:swtpm_toolchain_type")
UBOOT_TOOLCHAIN_TYPE = Label("//rules:uboot_toolchain_type")
UEFI_TOOLCHAIN_TYPE = Label("//rules:uefi_toolchain_type")

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
            doc = "The packer: a `go_binary` of //tools/packer, or a file that is a prebuilt one.",
            executable = True,
            mandatory = True,
        ),
    },
    doc = """A packer, for a toolchain of the type `@rules_initramfs//rules:packer_toolchain_type`.

Example:

    packer_toolchain(
        name = "prebuilt_packer",
        packer = "@packer_linux_x86_64//file",
    )

    toolchain(
        name = "prebuilt_packer_toolchain",
        exec_compatible_with = [
            "@platforms//cpu:x86_64",
            "@platforms//os:linux",
        ],
        toolchain = ":prebuilt_packer",
        toolchain_type = "@rules_initramfs//rules:packer_toolchain_type",
    )
""",
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
            doc = """The first line that the compiler prints for --version. It is checked before anything is compiled,
and a kernel is compiled again when it changes.""",
            mandatory = True,
        ),
        "cross_compile": attr.string(
            doc = """The prefix of the names of the compiler's programs, kbuild's CROSS_COMPILE, such as "aarch64-linux-gnu-".
Empty if the compiler is `gcc`.""",
        ),
        "linker_version": attr.string(
            doc = "The first line that the linker prints for --version. It is used like `compiler_version`.",
            mandatory = True,
        ),
        "path": attr.string(
            doc = """The PATH for kbuild: absolute directories, separated by colons, with the compiler, make, flex, bison, bc and
all other programs that kbuild runs. They are on the machine that compiles, because kbuild takes a whole system.""",
            mandatory = True,
        ),
    },
    doc = """The compilers for kernels of one architecture, for a toolchain of the type
`@rules_initramfs//rules:kernel_toolchain_type`, whose `target_compatible_with` has the architecture.

Example:

    kernel_toolchain(
        name = "gcc_arm64",
        compiler_version = "aarch64-linux-gnu-gcc (Debian 14.2.0-19) 14.2.0",
        cross_compile = "aarch64-linux-gnu-",
        linker_version = "GNU ld (GNU Binutils for Debian) 2.44",
        path = "/usr/bin:/bin",
    )
""",
)

def _qemu_toolchain_impl(ctx):
    return [platform_common.ToolchainInfo(
        executable = ctx.executable.qemu_system,
        runfiles = ctx.attr.qemu_system[DefaultInfo].default_runfiles,
        version = ctx.attr.version,
    )]

qemu_toolchain = rule(
    implementation = _qemu_toolchain_impl,
    attrs = {
        "qemu_system": attr.label(
            allow_files = True,
            cfg = "exec",
            doc = """The program qemu-system-ARCH: a file, or an executable target whose runfiles have its firmware. A script may
start a QEMU that is installed on the machine that runs the tests.""",
            executable = True,
            mandatory = True,
        ),
        "version": attr.string(
            doc = """The first line that QEMU prints for --version, such as "QEMU emulator version 10.0.2". A test runs
again when it changes.""",
            mandatory = True,
        ),
    },
    doc = """A QEMU for guests of one architecture, for a toolchain of the type
`@rules_initramfs//rules:qemu_toolchain_type`, whose `target_compatible_with` has the architecture.

Example:

    qemu_toolchain(
        name = "qemu_arm64",
        qemu_system = "@qemu//:qemu-system-aarch64",
        version = "QEMU emulator version 10.0.2",
    )
""",
)

def _uefi_toolchain_impl(ctx):
    return [platform_common.ToolchainInfo(
        code = ctx.file.code,
        secure_boot_code = ctx.file.secure_boot_code,
        variables = ctx.file.variables,
    )]

uefi_toolchain = rule(
    implementation = _uefi_toolchain_impl,
    attrs = {
        "code": attr.label(
            allow_single_file = True,
            doc = "The firmware, a flash image: OVMF_CODE_4M.fd of edk2.",
            mandatory = True,
        ),
        "secure_boot_code": attr.label(
            allow_single_file = True,
            doc = """The firmware that knows Secure Boot: OVMF_CODE_4M.secboot.fd. Without it, boots with `secure_boot` fail at
analysis.""",
        ),
        "variables": attr.label(
            allow_single_file = True,
            doc = "The firmware's variables, a flash image without keys: OVMF_VARS_4M.fd. A boot does not change the file.",
            mandatory = True,
        ),
    },
    doc = """The UEFI firmware of machines of one architecture, for a toolchain of the type
`@rules_initramfs//rules:uefi_toolchain_type`, whose `target_compatible_with` has the architecture.

Example:

    uefi_toolchain(
        name = "uefi_x86_64",
        code = "@ovmf//:OVMF_CODE_4M.fd",
        secure_boot_code = "@ovmf//:OVMF_CODE_4M.secboot.fd",
        variables = "@ovmf//:OVMF_VARS_4M.fd",
    )
""",
)

def _uboot_toolchain_impl(ctx):
    return [platform_common.ToolchainInfo(image = ctx.file.image)]

uboot_toolchain = rule(
    implementation = _uboot_toolchain_impl,
    attrs = {
        "image": attr.label(
            allow_single_file = True,
            doc = "U-Boot for QEMU's board: u-boot.bin of qemu_arm64_defconfig or qemu-riscv64_smode_defconfig.",
            mandatory = True,
        ),
    },
    doc = """A U-Boot for machines of one architecture, for a toolchain of the type
`@rules_initramfs//rules:uboot_toolchain_type`, whose `target_compatible_with` has the architecture.

Example:

    uboot_toolchain(
        name = "uboot_arm64",
        image = "@uboot_qemu_arm64//:u-boot.bin",
    )
""",
)

def _swtpm_toolchain_impl(ctx):
    return [platform_common.ToolchainInfo(
        executable = ctx.executable.swtpm,
        runfiles = ctx.attr.swtpm[DefaultInfo].default_runfiles,
        version = ctx.attr.version,
    )]

swtpm_toolchain = rule(
    implementation = _swtpm_toolchain_impl,
    attrs = {
        "swtpm": attr.label(
            allow_files = True,
            cfg = "exec",
            doc = """The program swtpm: a file, or an executable target. A script may start a swtpm that is installed on the
machine that runs the tests.""",
            executable = True,
            mandatory = True,
        ),
        "version": attr.string(
            doc = """The first line that swtpm prints for --version. A test runs again when it changes.""",
            mandatory = True,
        ),
    },
    doc = """A TPM for machines, for a toolchain of the type `@rules_initramfs//rules:swtpm_toolchain_type`.

Example:

    swtpm_toolchain(
        name = "swtpm",
        swtpm = "@swtpm//:swtpm",
        version = "TPM emulator version 0.10.1",
    )
""",
)

def _current(type, name):
    """A rule whose target gives a toolchain to targets that need it only with some values of their attributes."""
    return rule(
        implementation = lambda ctx: [ctx.toolchains[type]],
        doc = "The %s of the target platform." % name,
        toolchains = [type],
    )

current_swtpm = _current(SWTPM_TOOLCHAIN_TYPE, "TPM")
current_uboot = _current(UBOOT_TOOLCHAIN_TYPE, "U-Boot")
current_uefi = _current(UEFI_TOOLCHAIN_TYPE, "UEFI firmware")
