"""What distribution packages put on this machine, for examples and tests, in @packaged.

Targets of what is not here are incompatible: what needs them is skipped.
"""

# buildifier: disable=bzl-visibility
load("//rules/private:archs.bzl", "ARCHS")

# Debian's names of architectures, and the JVM's, in which Bazel tells the machine's own.
_DEBIAN = {"arm64": "arm64", "riscv64": "riscv64", "x86_64": "amd64"}
_JVM = {"aarch64": "arm64", "amd64": "x86_64", "riscv64": "riscv64"}

def _last_match(rctx, folder, prefix, below):
    """The last of FOLDER/PREFIX*BELOW, by name, or None."""
    folder = rctx.path(folder)
    if not folder.exists:
        return None
    for entry in reversed(sorted(folder.readdir(), key = lambda entry: entry.basename)):
        file = rctx.path(str(entry) + below)
        if entry.basename.startswith(prefix) and file.exists:
            return file
    return None

def _kernel(rctx, arch):
    file = _last_match(rctx, "/usr/lib/kernels/%s/usr/lib/modules" % _DEBIAN[arch], "", "/vmlinuz")
    if not file and _JVM.get(rctx.os.arch) == arch:
        file = (_last_match(rctx, "/usr/lib/modules", "", "/vmlinuz") or
                _last_match(rctx, "/boot", "vmlinuz-", ""))
    return file

def _packaged_impl(rctx):
    found = {"kernel_" + arch: _kernel(rctx, arch) for arch in ARCHS}
    found["busybox"] = rctx.which("busybox")
    found["linux_source"] = _last_match(rctx, "/usr/src", "linux-source-", "")

    build = ["""package(default_visibility = ["//visibility:public"])"""]
    for name, file in found.items():
        if file:
            # The name's ending tells how to unpack it.
            link = name + "/" + file.basename
            rctx.symlink(file, link)
            build.append("filegroup(name = %r, srcs = [%r])" % (name, link))
        else:
            build.append("filegroup(name = %r, target_compatible_with = [\"@platforms//:incompatible\"])" % name)
    kernels = {row.cpu: ":kernel_" + arch for arch, row in ARCHS.items()}
    build.append("alias(name = \"kernel\", actual = select(%r))" % kernels)
    rctx.file("BUILD.bazel", "\n".join(build) + "\n")

_packaged = repository_rule(
    implementation = _packaged_impl,
    configure = True,
    environ = ["PATH"],
    local = True,
)

def _packages_impl(mctx):
    _packaged(name = "packaged")
    return mctx.extension_metadata(reproducible = False)

packages = module_extension(implementation = _packages_impl)
