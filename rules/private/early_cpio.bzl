"""early_cpio: archives that the kernel reads before it unpacks anything."""

load(":entries.bzl", "file_entry")
load(":layer_info.bzl", "initramfs_layer_info")
load(":pack.bzl", "declare_views", "pack_action")
load(":paths.bzl", "label_text")
load(":providers.bzl", "InitramfsInfo")
load(":single_file.bzl", "single_file")
load(":toolchains.bzl", "PACKER_TOOLCHAIN_TYPE")

def _early_cpio_impl(ctx):
    origin = label_text(ctx.label)
    entries = []
    for name, target in ctx.attr.files.items():
        if name.startswith("/"):
            fail("%s: files: %r: the kernel looks for names that do not begin with a slash: write %r" % (origin, name, name.lstrip("/")))
        where = "%s: files: %s" % (origin, name)
        entries.append(file_entry(origin, "/" + name, single_file(where, target), attribute = "files"))
    if not entries:
        fail("%s: files: name a file, such as kernel/x86/microcode/GenuineIntel.bin" % origin)
    archive = ctx.actions.declare_file(ctx.label.name + ".cpio")
    completed = ctx.actions.declare_file(ctx.label.name + ".list")
    views = declare_views(ctx)
    pack_action(
        ctx,
        initramfs_layer_info(entries),
        archive,
        completed,
        struct(codec = "none", level = 0, compressor = None, compressor_args = []),
        [],
        progress = "Packing early archive",
        views = views,
    )
    return [
        DefaultInfo(files = depset([archive])),
        InitramfsInfo(
            archive = archive,
            compression = "none",
            list = completed,
            parts = [archive],
            **views
        ),
        OutputGroupInfo(list = depset([completed])),
    ]

early_cpio = rule(
    implementation = _early_cpio_impl,
    attrs = {
        "files": attr.string_keyed_label_dict(
            allow_files = True,
            doc = """The files, by the name that the kernel looks for, which does not begin with a slash:
`{"kernel/x86/microcode/GenuineIntel.bin": "@microcode//:intel"}`.""",
        ),
    },
    doc = """An early archive, for `prepend`: files that the kernel reads before it unpacks anything, such as microcode and ACPI tables.

Example:

    early_cpio(
        name = "microcode",
        files = {"kernel/x86/microcode/AuthenticAMD.bin": "@microcode//:amd"},
    )

It is not compressed, because the kernel searches it in place.
""",
    provides = [InitramfsInfo],
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)
