"""The QEMUs on this machine's PATH as toolchains."""

load(":host_toolchains.bzl", "first_line", "write_toolchains")

def _host_qemu_impl(rctx):
    def find(row):
        path = rctx.which(row.qemu)
        version = first_line(rctx, row.qemu, "--version")
        if version:
            # A script and not a link: QEMU looks for its firmware next to itself, also where Bazel copies it.
            rctx.file(row.qemu, "#!/bin/sh\nexec '%s' \"$@\"\n" % path)
        return bool(version), {
            "qemu_system": ":" + row.qemu,
            "version": version,
        }

    write_toolchains(rctx, "qemu", find)

host_qemu = repository_rule(
    implementation = _host_qemu_impl,
    configure = True,
    doc = "Finds QEMU on PATH, and makes a toolchain of it for each architecture of guests.",
    environ = ["PATH"],
    local = True,
)
