"""A rule that makes a layer: the accounts of users and their home directories."""

load(
    "@rules_initramfs//rules:layer_info.bzl",
    "InitramfsLayerInfo",
    "device_node_entry",
    "dir_entry",
    "file_entry",
    "file_metadata",
    "hardlink_entry",
    "initramfs_layer_info",
    "metadata_entry",
    "pipe_entry",
    "replaces_entry",
    "socket_entry",
    "symlink_entry",
    "tree_entry",
)

def _users_layer_impl(ctx):
    origin = ctx.label
    passwd = ctx.actions.declare_file(ctx.label.name + ".passwd")
    lines = ["root:x:0:0:root:/root:/bin/sh"] + [
        "{name}:x:{uid}:{uid}::/home/{name}:/bin/sh".format(name = name, uid = uid)
        for name, uid in ctx.attr.users.items()
    ]
    ctx.actions.write(passwd, "\n".join(lines) + "\n")
    entries = [
        file_entry(origin, "/etc/passwd", passwd),
        replaces_entry(origin, "/etc/passwd"),
        hardlink_entry(origin, "/etc/passwd-", "/etc/passwd"),
        device_node_entry(origin, "/dev/null", "c 1 3"),
        metadata_entry(origin, "/dev/null", file_metadata(mode = "0666")),
        pipe_entry(origin, "/run/login"),
        socket_entry(origin, "/run/log"),
    ]
    for name, uid in ctx.attr.users.items():
        home = "/home/" + name
        entries += [
            dir_entry(origin, home, mode = "0700", uid = int(uid), gid = int(uid), attribute = "users"),
            tree_entry(
                origin,
                home,
                depset(ctx.files.skeleton),
                strip_prefix = "skeleton",
                uid = int(uid),
                gid = int(uid),
                attribute = "users",
            ),
            symlink_entry(origin, "/var/mail/" + name, "../.." + home + "/mail", uid = int(uid), attribute = "users"),
        ]
    return [initramfs_layer_info(entries, [layer[InitramfsLayerInfo] for layer in ctx.attr.layers])]

users_layer = rule(
    implementation = _users_layer_impl,
    attrs = {
        "layers": attr.label_list(providers = [InitramfsLayerInfo]),
        "skeleton": attr.label_list(allow_files = True),
        "users": attr.string_dict(),
    },
    provides = [InitramfsLayerInfo],
)
