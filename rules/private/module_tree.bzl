"""What modules out of the kernel's tree are compiled with, and the headers of a kernel for programs."""

load(":kbuild.bzl", "kbuild_action", "source_resources")
load(":pack.bzl", "run_packer")

def user_headers_action(ctx, arch, source, patches):
    """Installs the headers that programs include to talk to a kernel.

    Args:
        ctx: the context of a rule with KBUILD_ATTRS and the kernel toolchain.
        arch: the kernel's architecture, a key of ARCHS.
        source: File: the kernel's source.
        patches: list of File: what to apply to it.

    Returns:
        A File, a directory with the directory include.
    """
    headers = ctx.actions.declare_directory(ctx.label.name + "/headers")
    args = ctx.actions.args()
    args.add("--source", source)
    args.add_all(patches, before_each = "--patch")
    args.add_all("--output", [headers], expand_directories = False)
    kbuild_action(
        ctx,
        "KernelHeaders",
        "Installing headers of kernel",
        "headers",
        arch,
        args,
        inputs = [source] + patches,
        outputs = [headers],
        resource_set = source_resources,
    )
    return headers

def import_headers_action(ctx, arch, packages, release):
    """Makes a module tree of the headers packages of a distribution.

    Args:
        ctx: the context of a rule with KBUILD_ATTRS and the packer's toolchain.
        arch: the kernel's architecture, a key of ARCHS.
        packages: list of File: tar or cpio archives or Debian packages.
        release: what `uname -r` prints, or "" if that is not known.

    Returns:
        A tuple of File: the module tree, and the Module.symvers of the kernel.
    """
    archive = ctx.actions.declare_file(ctx.label.name + ".headers.cpio.zst")
    args = ctx.actions.args()
    args.add_all(["--compress", "zstd"])
    args.add("--out", archive)
    args.add_all(packages)
    run_packer(ctx, "InitramfsPack", "Reading the headers of kernel", "pack", [archive], packages, [args])

    tree = ctx.actions.declare_file(ctx.label.name + ".module_tree.tar.zst")
    symvers = ctx.actions.declare_file(ctx.label.name + ".symvers")
    args = ctx.actions.args()
    args.add("import-headers")
    args.add("--arch", arch)
    args.add("--headers", archive)
    if release:
        args.add("--release", release)
    args.add("--module-tree", tree)
    args.add("--symvers", symvers)
    ctx.actions.run(
        arguments = [args],
        executable = ctx.executable._kernel,
        execution_requirements = {"supports-path-mapping": "1"},
        inputs = [archive],
        mnemonic = "KernelImportHeaders",
        outputs = [tree, symvers],
        progress_message = "Reading the headers of kernel %{label}",
    )
    return tree, symvers
