"""Disks that firmware boots from."""

load(":archs.bzl", "ARCHS")
load(":pack.bzl", "run_packer")
load(":paths.bzl", "label_text")
load(":platform_transition.bzl", "PLATFORM_ATTRS", "platform_transition")
load(":providers.bzl", "PayloadInfo")
load(":single_file.bzl", "single_file")
load(":toolchains.bzl", "PACKER_TOOLCHAIN_TYPE")

def boot_path(arch):
    """The path of the executable that UEFI firmware starts if nothing tells it what to start.

    Args:
        arch: the architecture, a key of ARCHS.

    Returns:
        A string.
    """
    return "EFI/BOOT/BOOT%s.EFI" % ARCHS[arch].efi.upper()

def disk_action(ctx, disk, files, size = "", volume_label = ""):
    """Makes a disk with an EFI system partition.

    Args:
        ctx: the context of a rule with the packer's toolchain.
        disk: the File to make.
        files: dict of a path in the partition to the File.
        size: the size of the disk, as the packer takes it, or "" for what the files need.
        volume_label: the label of the file system, or "".
    """
    args = ctx.actions.args()
    if size:
        args.add("--size", size)
    if volume_label:
        args.add("--label", volume_label)
    args.add("--out", disk)
    for path, file in files.items():
        args.add(file, format = path.replace("%", "%%") + "=%s")
    run_packer(ctx, "EfiDisk", "Making disk", "efi-disk", [disk], files.values(), [args])

def _efi_disk_impl(ctx):
    origin = label_text(ctx.label)
    files = {}
    if ctx.attr.payload:
        payload = ctx.attr.payload[PayloadInfo]
        if payload.format != "efi":
            fail("%s: payload: %s is not an EFI executable: name it in files, by its path" % (origin, label_text(ctx.attr.payload.label)))
        files[boot_path(payload.arch)] = payload.image
    for path, target in ctx.attr.files.items():
        if path in files:
            fail("%s: files: %s: the payload has this path" % (origin, path))
        files[path] = single_file("%s: files: %s" % (origin, path), target)
    if not files:
        fail("%s: nothing is on the disk: set payload or files" % origin)
    disk = ctx.actions.declare_file(ctx.label.name + ".img")
    disk_action(ctx, disk, files, ctx.attr.disk_size, ctx.attr.volume_label)
    return [DefaultInfo(files = depset([disk]))]

efi_disk = rule(
    implementation = _efi_disk_impl,
    attrs = PLATFORM_ATTRS | {
        # Bazel crashes at a rule with an attribute "size" that is not a test's.
        "disk_size": attr.string(
            doc = """The size of the disk: `"64MiB"`. By default, what the files need, with a little room. It is an error if they
do not fit.""",
        ),
        "files": attr.string_keyed_label_dict(
            allow_files = True,
            doc = """Files of the partition, by their paths: `{"loader/loader.conf": "loader.conf"}`.""",
        ),
        "payload": attr.label(
            doc = """What the firmware starts if nothing tells it what to start: a `uki` or `efi_image`, as
EFI/BOOT/BOOTX64.EFI or the like.""",
            providers = [PayloadInfo],
        ),
        "volume_label": attr.string(
            doc = "The label of the file system, at most 11 characters.",
        ),
    },
    cfg = platform_transition,
    doc = """A raw disk image with a partition table (GPT) and an EFI system partition (FAT).

Example:

    efi_disk(
        name = "disk",
        payload = ":product",
    )

`boot_test` makes such a disk of its `payload` by itself. The same files give the same bytes. The output is NAME.img.
""",
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)
