"""The compilers on this machine's PATH that make kernels, as toolchains."""

load(":archs.bzl", "ARCHS")

_BUILD = """\
load("@rules_initramfs//rules:toolchains.bzl", "kernel_toolchain")

package(default_visibility = ["//visibility:public"])
"""

_TOOLCHAIN = """
toolchain(
    name = "{arch}",
    target_compatible_with = [
        "@platforms//os:linux",
        "{cpu}",
    ],
    toolchain = ":kernel_{arch}",
    toolchain_type = "@rules_initramfs//rules:kernel_toolchain_type",
)

kernel_toolchain(
    name = "kernel_{arch}",
    compiler_version = {compiler_version},
    cross_compile = "{cross_compile}",
    linker_version = {linker_version},
    path = {path},
    target_compatible_with = {compatible},
)
"""

def _first_line(rctx, name, option):
    """The first line of what a program on PATH says to an option, or "" without the program."""
    program = rctx.which(name)
    if not program:
        return ""
    result = rctx.execute([program, option], environment = {"LC_ALL": "C"})
    return result.stdout.split("\n")[0] if result.return_code == 0 else ""

def _host_compilers_impl(rctx):
    build = _BUILD
    native = _first_line(rctx, "gcc", "-dumpmachine")
    for arch, row in ARCHS.items():
        prefix = row.cross_compile

        # x86_64-linux-gnu, x86_64-pc-linux-gnu, x86_64-redhat-linux
        if native.startswith(prefix.partition("-")[0] + "-") and "linux" in native:
            prefix = ""
        compiler = _first_line(rctx, prefix + "gcc", "--version")
        linker = _first_line(rctx, prefix + "ld", "--version")

        # A toolchain that cannot be used makes what needs it incompatible: it is skipped.
        build += _TOOLCHAIN.format(
            arch = arch,
            compatible = [] if compiler and linker else ["@platforms//:incompatible"],
            compiler_version = repr(compiler),
            cpu = row.cpu,
            cross_compile = prefix,
            linker_version = repr(linker),
            path = repr(rctx.os.environ.get("PATH", "")),
        )
    rctx.file("BUILD.bazel", build)

host_compilers = repository_rule(
    implementation = _host_compilers_impl,
    configure = True,
    doc = "Looks for compilers on PATH: a toolchain for each architecture of kernels.",
    environ = ["PATH"],
    local = True,
)
