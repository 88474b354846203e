"""The compilers for kernels on this machine's PATH as toolchains."""

load(":host_toolchains.bzl", "first_line", "write_toolchains")

def _host_compilers_impl(rctx):
    native = first_line(rctx, "gcc", "-dumpmachine")

    def find(row):
        prefix = row.cross_compile

        # x86_64-linux-gnu, x86_64-pc-linux-gnu, x86_64-redhat-linux
        if native.startswith(prefix.partition("-")[0] + "-") and "linux" in native:
            prefix = ""
        compiler = first_line(rctx, prefix + "gcc", "--version")
        linker = first_line(rctx, prefix + "ld", "--version")
        return bool(compiler and linker), {
            "compiler_version": compiler,
            "cross_compile": prefix,
            "linker_version": linker,
            "path": rctx.os.environ.get("PATH", ""),
        }

    write_toolchains(rctx, "kernel", find)

host_compilers = repository_rule(
    implementation = _host_compilers_impl,
    configure = True,
    doc = "Finds compilers on PATH, and makes a toolchain of them for each architecture of kernels.",
    environ = ["PATH"],
    local = True,
)
