"""The QEMUs on this machine's PATH as toolchains."""

load(":host_toolchains.bzl", "first_line", "write_toolchains")

def _host_qemu_impl(rctx):
    def find(row):
        path = rctx.which(row.qemu)
        version = first_line(rctx, row.qemu, "--version")
        return bool(version), {
            "path": str(path or ""),
            "version": version,
        }

    write_toolchains(rctx, "qemu", find)

host_qemu = repository_rule(
    implementation = _host_qemu_impl,
    configure = True,
    doc = "Looks for QEMU on PATH: a toolchain for each architecture.",
    environ = ["PATH"],
    local = True,
)
