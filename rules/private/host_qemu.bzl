"""The QEMUs on this machine's PATH as toolchains."""

load(":archs.bzl", "ARCHS")

_BUILD = """\
load("@rules_initramfs//rules:toolchains.bzl", "qemu_toolchain")

package(default_visibility = ["//visibility:public"])
"""

_TOOLCHAIN = """
toolchain(
    name = "{arch}",
    target_compatible_with = [
        "@platforms//os:linux",
        "{cpu}",
    ],
    toolchain = ":qemu_{arch}",
    toolchain_type = "@rules_initramfs//rules:qemu_toolchain_type",
)

qemu_toolchain(
    name = "qemu_{arch}",
    path = "{path}",
    target_compatible_with = {compatible},
    version = "{version}",
)
"""

def _host_qemu_impl(rctx):
    build = _BUILD
    for arch, row in ARCHS.items():
        path = rctx.which(row.qemu)
        version = ""
        if path:
            result = rctx.execute([path, "--version"])
            if result.return_code == 0:
                version = result.stdout.split("\n")[0]

        # A toolchain that cannot be used makes what needs it incompatible: it is skipped.
        build += _TOOLCHAIN.format(
            arch = arch,
            compatible = [] if version else ["@platforms//:incompatible"],
            cpu = row.cpu,
            path = path or "",
            version = version,
        )
    rctx.file("BUILD.bazel", build)

host_qemu = repository_rule(
    implementation = _host_qemu_impl,
    configure = True,
    doc = "Looks for QEMU on PATH: a toolchain for each architecture.",
    environ = ["PATH"],
    local = True,
)
