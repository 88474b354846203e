"""Shared code of the repository rules that find programs on this machine."""

load(":archs.bzl", "ARCHS")

_BUILD = """\
load("@platforms//host:constraints.bzl", "HOST_CONSTRAINTS")
load("@rules_initramfs//rules:toolchains.bzl", "{kind}_toolchain")

package(default_visibility = ["//visibility:public"])
"""

_TOOLCHAIN = """
toolchain(
    name = "{arch}",
    exec_compatible_with = HOST_CONSTRAINTS,
    target_compatible_with = [
        "@platforms//os:linux",
        "{cpu}",
    ],
    toolchain = ":{kind}_{arch}",
    toolchain_type = "@rules_initramfs//rules:{kind}_toolchain_type",
)

{kind}_toolchain(
    name = "{kind}_{arch}",
    target_compatible_with = {compatible},
{attributes})
"""

def first_line(rctx, program, option):
    """Returns the first line that a program prints for an option.

    Args:
      rctx: the repository's context
      program: its name on PATH
      option: such as "--version"

    Returns:
      A string, which is empty if there is no such program or if it fails.
    """
    path = rctx.which(program)
    if not path:
        return ""
    result = rctx.execute([path, option], environment = {"LC_ALL": "C"})
    return result.stdout.split("\n")[0] if result.return_code == 0 else ""

def write_toolchains(rctx, kind, find, package = ""):
    """Writes the BUILD file of a package of a repository that has a toolchain for each architecture.

    Args:
      rctx: the repository's context
      kind: "qemu" for toolchains of the rule `qemu_toolchain`, which have the type `qemu_toolchain_type`
      find: a function that takes a row of ARCHS and returns whether the machine has what the toolchain
        needs, and a dict of the toolchain's attributes, all strings
      package: where the file is, "" for the top of the repository
    """
    build = _BUILD.format(kind = kind)
    for arch, row in ARCHS.items():
        found, attributes = find(row)

        # A toolchain that cannot be used makes targets that need it incompatible, so they are skipped.
        build += _TOOLCHAIN.format(
            arch = arch,
            attributes = "".join(["    %s = %r,\n" % attribute for attribute in attributes.items()]),
            compatible = [] if found else ["@platforms//:incompatible"],
            cpu = row.cpu,
            kind = kind,
        )
    rctx.file(package + "/BUILD.bazel" if package else "BUILD.bazel", build)
