"""What distribution packages have installed on this machine, for examples and tests.

@packaged has kernels, programs and shared libraries. Targets of what is not installed are incompatible, so what needs them is skipped.
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

# Shared libraries of this machine, and the dynamic loaders of its programs by architecture.
_LIBRARIES = ["libc.so.6", "libgcc_s.so.1", "libm.so.6", "libstdc++.so.6"]
_LOADERS = {"x86_64": "lib64/ld-linux-x86-64.so.2", "arm64": "lib/ld-linux-aarch64.so.1"}

def _libraries(rctx):
    """A package with the C library of this machine, as a tree: @packaged//libraries."""
    build = ["package(default_visibility = [\"//visibility:public\"])"]
    files = []
    for arch, row in ARCHS.items():
        if rctx.os.arch == row.jvm and arch in _LOADERS:
            triplet = row.cross_compile.removesuffix("-")
            files = ["usr/lib/%s/%s" % (triplet, name) for name in _LIBRARIES] + ["usr/" + _LOADERS[arch]]
    files = [file for file in files if rctx.path("/" + file).exists]
    for file in files:
        rctx.symlink("/" + file, "libraries/" + file)
    compatible = "" if files else ", target_compatible_with = [\"@platforms//:incompatible\"]"
    build.append("filegroup(name = \"libraries\", srcs = %r%s)" % (files, compatible))
    rctx.file("libraries/BUILD.bazel", "\n".join(build) + "\n")

def _packaged_impl(rctx):
    _libraries(rctx)
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
