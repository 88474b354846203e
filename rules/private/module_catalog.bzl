"""The modules of a kernel: the directory that has them, the catalog of what is in it, and the drivers in its source."""

load(":pack.bzl", "extract_action", "run_packer")

def unpack_modules(ctx, archives):
    """Unpacks archives that have the modules of a kernel.

    Args:
        ctx: the context of a rule with the packer's toolchain.
        archives: list of File: tar or cpio archives or Debian packages.

    Returns:
        A File, a directory with lib/modules/RELEASE or usr/lib/modules/RELEASE.
    """
    name = ctx.label.name + ".modules"
    archive = ctx.actions.declare_file(name + ".cpio")
    args = ctx.actions.args()
    args.add_all(["--compress", "none"])
    args.add("--out", archive)
    args.add_all(archives)
    run_packer(ctx, "InitramfsPack", "Reading the modules of kernel", "pack", [archive], archives, [args])
    directory = ctx.actions.declare_directory(name)
    extract_action(ctx, archive, directory)
    return directory

def driver_index_action(ctx, source):
    """Finds the drivers in the source of a kernel. It takes a minute, and runs only if an action reads the result.

    Args:
        ctx: the context of a rule with the packer's toolchain.
        source: File: a tar archive.

    Returns:
        A File: the index.
    """
    index = ctx.actions.declare_file(ctx.label.name + ".drivers.index")
    args = ctx.actions.args()
    args.add("--out", index)
    args.add(source)
    run_packer(ctx, "KernelDriverIndex", "Finding the drivers in the source of kernel", "driver-index", [index], [source], [args])
    return index

def catalog_action(ctx, modules):
    """Reads what the modules of a kernel say of themselves, once for all that choose among them.

    Args:
        ctx: the context of a rule with the packer's toolchain.
        modules: File: the directory that has them.

    Returns:
        A File: the catalog.
    """
    catalog = ctx.actions.declare_file(ctx.label.name + ".modules.catalog")
    args = ctx.actions.args()
    args.add_all("--kernel", [modules], expand_directories = False)
    args.add("--write-catalog", catalog)
    run_packer(ctx, "KernelModulesCatalog", "Reading the modules of kernel", "modules", [catalog], [modules], [args])
    return catalog
