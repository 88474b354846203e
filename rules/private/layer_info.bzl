"""The constructor of InitramfsLayerInfo."""

load(":entries.bzl", "entry_inputs")
load(":providers.bzl", "InitramfsLayerInfo")

def initramfs_layer_info(entries = [], layers = []):
    """Makes the provider of a layer.

    A rule that returns it can be named in `layers` of `initramfs` and `initramfs_layer`.

    Example:

        load(
            "@rules_initramfs//rules:layer_info.bzl",
            "file_entry",
            "initramfs_layer_info",
            "symlink_entry",
        )

        def _config_layer_impl(ctx):
            file = ctx.actions.declare_file(ctx.label.name + ".conf")
            ctx.actions.write(file, ctx.attr.content)
            return [initramfs_layer_info([
                file_entry(ctx.label, "/etc/app/app.conf", file, mode = "0600"),
                symlink_entry(ctx.label, "/etc/app.conf", "app/app.conf"),
            ])]

    Args:
        entries: list of entries, in the order in which the image has them: what `file_entry`, `dir_entry` and the like
            return.
        layers: list of InitramfsLayerInfo whose entries come before these, in this order.

    Returns:
        An InitramfsLayerInfo.
    """
    files, depsets, archives = [], [], []
    for entry in entries:
        direct, transitive = entry_inputs(entry)
        files += direct
        depsets += transitive
        if entry.kind == "archives":
            archives += list(entry.archives)
    return InitramfsLayerInfo(
        archives = depset(archives, transitive = [layer.archives for layer in layers]),
        entries = depset(entries, transitive = [layer.entries for layer in layers], order = "postorder"),
        files = depset(files, transitive = [layer.files for layer in layers] + depsets),
    )
