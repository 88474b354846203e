"""The modules of a kernel: the directory that has them, and the catalog of what is in it."""

load(":entries.bzl", "archives_entry")
load(":layer_info.bzl", "initramfs_layer_info")
load(":pack.bzl", "extract_action", "pack_action", "run_packer")
load(":paths.bzl", "label_text")

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
    pack_action(
        ctx,
        initramfs_layer_info([archives_entry(label_text(ctx.label), archives, attribute = "modules")]),
        archive,
        ctx.actions.declare_file(name + ".list"),
        struct(codec = "none", level = 0, compressor = None, compressor_args = []),
        [],
        progress = "Reading the modules of kernel",
    )
    directory = ctx.actions.declare_directory(name)
    extract_action(ctx, archive, directory)
    return directory

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
