"""GCC for other architectures as C toolchains, for tests.

They have no C library: targets are linked with -nostdlib. The toolchain of this machine's own architecture is Bazel's.
"""

# buildifier: disable=bzl-visibility
load("//rules/private:tables.bzl", "ARCHS")

_BUILD = """\
load("@bazel_tools//tools/cpp:unix_cc_toolchain_config.bzl", "cc_toolchain_config")
load("@rules_cc//cc:defs.bzl", "cc_toolchain")

package(default_visibility = ["//visibility:public"])

filegroup(name = "none")
"""

_TOOLCHAIN = """
toolchain(
    name = "{arch}",
    target_compatible_with = [
        "@platforms//os:linux",
        "{cpu}",
    ],
    toolchain = ":cc_{arch}",
    toolchain_type = "@bazel_tools//tools/cpp:toolchain_type",
)

cc_toolchain(
    name = "cc_{arch}",
    all_files = ":none",
    compiler_files = ":none",
    dwp_files = ":none",
    linker_files = ":none",
    objcopy_files = ":none",
    strip_files = ":none",
    supports_param_files = True,
    toolchain_config = ":config_{arch}",
)

cc_toolchain_config(
    name = "config_{arch}",
    abi_libc_version = "none",
    abi_version = "gcc",
    compiler = "gcc",
    cpu = "{arch}",
    cxx_builtin_include_directories = {includes},
    host_system_name = "local",
    target_libc = "none",
    target_system_name = "{arch}",
    tool_paths = {tools},
    toolchain_identifier = "{arch}",
)
"""

# GCC has no llvm-cov and no dwp, but Bazel wants their paths.
_TOOLS = ["ar", "cpp", "dwp", "gcc", "gcov", "ld", "llvm-cov", "nm", "objcopy", "objdump", "strip"]

def _cross_compilers_impl(rctx):
    build = _BUILD
    compatible = {}
    for arch, row in ARCHS.items():
        gcc = rctx.which(row.cross_compile + "gcc")
        native = rctx.os.arch == row.jvm
        compatible[arch] = [] if native or gcc else ["@platforms//:incompatible"]
        if native or not gcc:
            continue
        build += _TOOLCHAIN.format(
            arch = arch,
            cpu = row.cpu,
            includes = [rctx.execute([gcc, "-print-file-name=include"]).stdout.strip()],
            tools = {tool: str(rctx.which(row.cross_compile + tool) or "/bin/false") for tool in _TOOLS},
        )
    rctx.file("BUILD.bazel", build)

    # An incompatible toolchain would make all Go programs for the architecture incompatible.
    rctx.file("compatible.bzl", "\"\"\"target_compatible_with of targets in C, by architecture.\"\"\"\n\nCOMPATIBLE = %r\n" % compatible)

cross_compilers = repository_rule(
    implementation = _cross_compilers_impl,
    configure = True,
    environ = ["PATH"],
    local = True,
)
