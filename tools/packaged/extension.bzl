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

# Shared libraries, and dynamic loaders by architecture.
_LIBRARIES = ["libc.so.6", "libgcc_s.so.1", "libm.so.6", "libstdc++.so.6"]
_LOADERS = {
    "arm64": "lib/ld-linux-aarch64.so.1",
    "riscv64": "lib/ld-linux-riscv64-lp64d.so.1",
    "x86_64": "lib64/ld-linux-x86-64.so.2",
}

def _libraries(rctx, arch, row):
    """The C library of an architecture: its files by the paths that they have on a machine of the architecture."""
    triplet = row.cross_compile.removesuffix("-")
    files = {"usr/lib/%s/%s" % (triplet, name): name for name in _LIBRARIES}
    files["usr/" + _LOADERS[arch]] = _LOADERS[arch].split("/")[-1]

    # The libraries of another architecture, which come with its compiler, are in a directory of their own.
    native = rctx.os.arch == row.jvm
    found = {to: rctx.path("/" + to if native else "/usr/%s/lib/%s" % (triplet, name)) for to, name in files.items()}
    return {to: file for to, file in found.items() if file.exists}

def _libraries_packages(rctx):
    """Packages with C libraries as trees: @packaged//libraries for this machine, @packaged//libraries_ARCH for others."""
    packages = {"libraries": {}}
    for arch, row in ARCHS.items():
        packages["libraries_" + arch] = _libraries(rctx, arch, row)
        if rctx.os.arch == row.jvm:
            packages["libraries"] = packages["libraries_" + arch]
    for name, files in packages.items():
        for to, file in files.items():
            rctx.symlink(file, name + "/" + to)
        compatible = "" if files else ", target_compatible_with = [\"@platforms//:incompatible\"]"
        rctx.file(name + "/BUILD.bazel", """package(default_visibility = ["//visibility:public"])
filegroup(name = %r, srcs = %r%s)
""" % (name, files.keys(), compatible))

def _packages(rctx, row, release, parts):
    """Packages of a kernel, by what is in their names before its release, as far as they are there."""
    packages = "/usr/lib/kernels/%s/packages" % row.debian
    files = [rctx.path("%s/linux-%s-%s.deb" % (packages, part, release)) for part in parts]
    return [file for file in files if file.exists]

def _modules(rctx, row, release):
    """The packages of the modules of a kernel, or nothing."""
    return _packages(rctx, row, release, ["base", "modules"])

def _headers(rctx, row, release):
    """The packages that modules for a kernel are compiled with, or nothing."""
    return _packages(rctx, row, release, ["headers", "headers-common", "kbuild"])

def _full(rctx, row):
    """The kernel for all machines of an architecture and the packages of its modules, or nothing."""
    modules = rctx.path("/usr/lib/kernels/%s/usr/lib/modules" % row.debian)
    for release in (modules.readdir() if modules.exists else []):
        if "-cloud-" not in release.basename:
            return [rctx.path(str(release) + "/vmlinuz")], _modules(rctx, row, release.basename)
    return [], []

def _efi_stub(rctx, row):
    """The stub of EFI executables, or None."""
    root = "" if rctx.os.arch == row.jvm else "/usr/lib/kernels/" + row.debian
    file = rctx.path("%s/usr/lib/systemd/boot/efi/linux%s.efi.stub" % (root, row.efi))
    return file if file.exists else None

def _packaged_impl(rctx):
    _libraries_packages(rctx)
    found = {
        "busybox": [rctx.which("busybox")],
        "linux_source": [_last_match(rctx, "/usr/src", "linux-source-", "")],
    }
    for arch, row in ARCHS.items():
        kernel = _kernel(rctx, row)
        found["efi_stub_" + arch] = [_efi_stub(rctx, row)]
        found["kernel_" + arch] = [kernel]
        found["headers_" + arch] = _headers(rctx, row, kernel.dirname.basename) if kernel else []
        found["modules_" + arch] = _modules(rctx, row, kernel.dirname.basename) if kernel else []
        found["full_kernel_" + arch], found["full_modules_" + arch] = _full(rctx, row)

    build = ["""package(default_visibility = ["//visibility:public"])"""]
    for name, files in found.items():
        links = []
        for file in files:
            if file:
                # The end of the name says how to unpack it.
                links.append(name + "/" + file.basename)
                rctx.symlink(file, links[-1])
        if links:
            build.append("filegroup(name = %r, srcs = %r)" % (name, links))
        else:
            build.append("filegroup(name = %r, target_compatible_with = [\"@platforms//:incompatible\"])" % name)
    for name in ["efi_stub", "full_kernel", "full_modules", "headers", "kernel", "modules"]:
        of_cpu = {row.cpu: ":%s_%s" % (name, arch) for arch, row in ARCHS.items()}
        build.append("alias(name = %r, actual = select(%r))" % (name, of_cpu))
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
