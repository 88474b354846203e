"""The providers of images, layers, kernels and payloads."""

load(":tables.bzl", "IMAGE_VIEWS")

InitramfsLayerInfo = provider(
    doc = """The entries that a target adds to an initramfs. Rules make it with `initramfs_layer_info` of
//rules:layer_info.bzl.""",
    fields = {
        "archives": "depset of File: those of `files` that are archives, whose content is not in files of its own.",
        "entries": """depset of struct: the entries, in order. Each has `kind`, which is a word of the kernel's list, such
as file or nod, or one for several entries or for a change of others (archives, binary, hardlink, lists, metadata, modules,
replaces, tree); `origin`, the label of the target that it comes from; `name`, the absolute path in the image, unless
it is archives, lists or modules; and other fields, which may change.""",
        "files": "depset of File: everything that the entries need to be packed.",
        "libraries": """depset of struct: the sources of the layers' libraries. The entries have only what programs need of
them.""",
        "lists": "depset of File: those of `files` that are lists, whose entries are known only when they are read.",
        "module_catalogs": """depset of File: those of `files` that say which kernel modules are in the layer, so that an image
has the indexes of all modules of several layers.""",
        "targets": """depset of struct: what each target adds by itself, with the fields `archives`, `entries`, `files`,
`libraries`, `lists` and `module_catalogs`. A target that is reached in several ways is there once.""",
    },
)

_IMAGE_FIELDS = {
    "archive": "File: the image, for a boot loader or a kernel build.",
    "compression": "string: the codec, such as gzip, or none.",
    "list": """File or None: the entries in the format of the kernel's gen_init_cpio; None if the image was
imported.""",
    "parts": """list of File: the files that concatenate to the image, in order; pad each to a 4-byte boundary. With
split = "layer" they are built without the joined archive, so actions that take them do not run again for a layer that
did not change. The last one, the tail, fails to build if two layers conflict.""",
} | {view: "File: %s." % row.doc for view, row in IMAGE_VIEWS.items()}

InitramfsInfo = provider(
    doc = "A packed initramfs.",
    fields = {name: _IMAGE_FIELDS[name] for name in sorted(_IMAGE_FIELDS)},
)

KernelInfo = provider(
    doc = "A Linux kernel.",
    fields = {
        "arch": "string: the architecture, such as x86_64.",
        "config": "File or None: its .config.",
        "device_tree_sources": "File or None: what compiles device trees; None if the kernel has no source.",
        "driver_index": """File or None: the drivers in its source, with their devices and options, for kernel_modules; None if
the source is not known. It is without the patches of kernel_build.""",
        "image": "File: what a boot loader starts (bzImage, Image).",
        "module_catalog": "File or None: what the modules say of themselves, for kernel_modules; None if modules is.",
        "module_certificate": """File or None: the certificate of the key that the kernel's modules are signed with.""",
        "modules": """File or None: a directory with lib/modules/RELEASE or usr/lib/modules/RELEASE, which is empty if the
kernel has no modules.""",
        "module_tree": """File or None: what modules out of its tree are compiled with; None if the kernel was imported
without headers.""",
        "objects": "File or None: what is needed to link it again.",
        "release": "string or None: what `uname -r` prints, if it is known before the kernel is built.",
        "system_map": "File or None: its System.map, the addresses of its symbols.",
        "vmlinux": "File or None: the ELF image with its symbols.",
    },
)

MeasurementsInfo = provider(
    doc = "What a TPM will hold when a payload has started.",
    fields = {
        "report": "File: JSON, as packer measure writes it.",
    },
)

PayloadInfo = provider(
    doc = "What firmware loads.",
    fields = {
        "arch": "string: the architecture, such as x86_64.",
        "contents": """list of File: for each initramfs in it, the entries as `packer ls --json` prints them, with the targets
that placed them.""",
        "device_trees": "bool: whether it has device trees, so that it does not take the firmware's.",
        "format": """string: "efi", an EFI executable, or "fit", a FIT image.""",
        "image": "File: the payload.",
        "key_name": "string or None: the name of the key in the signatures of a FIT image.",
    },
)

UefiVariablesInfo = provider(
    doc = "The variables of a UEFI firmware.",
    fields = {
        "arch": "string: the architecture of the firmware, such as x86_64.",
        "store": "File: the flash image.",
    },
)

KernelModuleInfo = provider(
    doc = "Modules that were built out of the kernel's tree.",
    fields = {
        "builds": """dict: for each kernel, which the key identifies, a struct: `modules`, a File, is a directory with the .ko
files, and `symvers`, a File, the symbols that they export. `all_modules` and `all_symvers`, depsets of File, are the same with
those of what the target depends on.""",
    },
)
