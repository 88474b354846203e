"""What distribution packages have installed on this machine, for examples and tests.

@packaged has kernels and programs. Targets of what is not installed are incompatible, so what needs them is skipped.
@cross_compilers has C toolchains for other architectures.
"""

# buildifier: disable=bzl-visibility
load("//rules/private:tables.bzl", "ARCHS")
load(":cross_compilers.bzl", "cross_compilers")

def _last_match(rctx, directory, prefix, below):
    """The last of DIRECTORY/PREFIX*BELOW, by name, or None."""
    directory = rctx.path(directory)
    if not directory.exists:
        return None
    for entry in reversed(sorted(directory.readdir(), key = lambda entry: entry.basename)):
        file = rctx.path(str(entry) + below)
        if entry.basename.startswith(prefix) and file.exists:
            return file
    return None

def _kernel(rctx, row):
    file = _last_match(rctx, "/usr/lib/kernels/%s/usr/lib/modules" % row.debian, "", "/vmlinuz")
    if not file and rctx.os.arch == row.jvm:
        file = (_last_match(rctx, "/usr/lib/modules", "", "/vmlinuz") or
                _last_match(rctx, "/boot", "vmlinuz-", ""))
    return file

def _packaged_impl(rctx):
    found = {"kernel_" + arch: _kernel(rctx, row) for arch, row in ARCHS.items()}
    found["busybox"] = rctx.which("busybox")
    found["linux_source"] = _last_match(rctx, "/usr/src", "linux-source-", "")

    build = ["""package(default_visibility = ["//visibility:public"])"""]
    for name, file in found.items():
        if file:
            # The end of the name says how to unpack it.
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
    cross_compilers(name = "cross_compilers")
    return mctx.extension_metadata(reproducible = False)

packages = module_extension(implementation = _packages_impl)
