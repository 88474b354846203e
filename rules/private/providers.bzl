"""The providers: what an initramfs, a layer of one and a kernel tell others."""

InitramfsLayerInfo = provider(
    doc = "What a target puts into an initramfs.",
    fields = {
        "archives": "depset of File: the archives among the files, whose content is in no file of its own.",
        "entries": """depset of struct: the entries, in the order written. Each has `kind`, the word of the kernel's
list (file, dir, nod, slink, pipe, sock) or what stands for several or changes others (archives, binary, hardlink, lists,
metadata, replaces, tree); `name`, its absolute path in the image, where it is one entry's; `origin`, the label of the
target that gave it; and what its kind needs: see rules/private/entries.bzl.""",
        "files": "depset of File: all that the entries need to be packed.",
    },
)

InitramfsInfo = provider(
    doc = "A packed initramfs.",
    fields = {
        "archive": "File: the image, as a boot loader or a kernel build takes it.",
        "compression": "string: the codec, such as gzip; none when not compressed.",
        "json": "File: what is in the image, as packer ls --json prints it, with the labels of the entries' targets where they are known.",
        "list": "File or None: what is in the archive, in the format of the kernel's gen_init_cpio; None for an imported image.",
        "listing": "File: what is in the image, as packer ls prints it.",
        "segments": """list of File: the parts that make up the archive, in order; each begins at a multiple of 4 bytes, with
zeros before it where it must. They are not made from the archive: with segments = "layer", who takes them in its place does without
a file that changes with each layer. Two layers that do not fit together fail the last one.""",
    },
)

KernelInfo = provider(
    doc = "A Linux kernel.",
    fields = {
        "arch": "string: x86_64, arm64 or riscv64.",
        "config": "File or None: its .config.",
        "image": "File: what a boot loader starts (bzImage, Image).",
        "modules": "File or None: a folder with lib/modules/RELEASE, which is empty where the kernel has none.",
        "objects": "File or None: what is needed to link it anew.",
        "release": "string or None: what uname -r says, if that is known before the kernel is built.",
        "vmlinux": "File or None: the ELF image with its symbols.",
    },
)
