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
    files, depsets, archives, more_archives, lists, libraries, catalogs = [], [], [], [], [], [], []
    for entry in entries:
        direct, transitive = entry_inputs(entry)
        files += direct
        depsets += transitive
        if entry.kind == "archives":
            archives += list(entry.archives)
        elif entry.kind == "libraries":
            more_archives.append(entry.archives)
            libraries.append(entry.sources)
        elif entry.kind == "lists":
            lists += list(entry.lists)
        elif entry.kind == "modules":
            catalogs.append(entry.catalog)
    own = struct(
        archives = depset(archives, transitive = more_archives),
        entries = depset(entries, order = "postorder"),
        files = depset(files, transitive = depsets),
        libraries = depset(transitive = libraries),
        lists = depset(lists),
        module_catalogs = depset(catalogs),
    )
    return _merged(layers + [own], depset(
        [own] if entries else [],
        transitive = [layer.targets for layer in layers],
        order = "postorder",
    ))

def _merged(parts, targets):
    return InitramfsLayerInfo(
        archives = depset(transitive = [part.archives for part in parts]),
        entries = depset(transitive = [part.entries for part in parts], order = "postorder"),
        files = depset(transitive = [part.files for part in parts]),
        libraries = depset(transitive = [part.libraries for part in parts]),
        lists = depset(transitive = [part.lists for part in parts]),
        module_catalogs = depset(transitive = [part.module_catalogs for part in parts]),
        targets = targets,
    )

def disjoint_layers(layers):
    """Leaves out of each layer the targets that an earlier one has, and layers in which nothing remains.

    Args:
        layers: list of InitramfsLayerInfo.

    Returns:
        A list of InitramfsLayerInfo.
    """
    seen, disjoint = {}, []
    for layer in layers:
        # A target of a layer is one element, however many entries it has.
        all_targets = layer.targets.to_list()
        targets = [target for target in all_targets if target not in seen]
        seen.update([(target, True) for target in targets])
        if len(targets) == len(all_targets):
            disjoint.append(layer)
        elif targets:
            disjoint.append(_merged(targets, depset(targets)))
    return disjoint
