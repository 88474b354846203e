"""kernel_modules: a layer of modules with what they need."""

load(":entries.bzl", "archives_entry", "modules_entry")
load(":kernel_module.bzl", "kernel_key")
load(":layer_info.bzl", "initramfs_layer_info")
load(":module_signing.bzl", "SIGNING_ATTRS", "module_signing", "sign_action")
load(":pack.bzl", "run_packer")
load(":paths.bzl", "label_text")
load(":providers.bzl", "InitramfsLayerInfo", "KernelInfo", "KernelModuleInfo")
load(":single_file.bzl", "check_files")
load(":toolchains.bzl", "PACKER_TOOLCHAIN_TYPE")

_MISSING = [
    "error",
    "off",
    "warning",
]

def _check(ctx, origin, kernel):
    if not kernel.modules:
        fail("%s: kernel: %s has no modules: name them in its attribute modules" % (
            origin,
            label_text(ctx.attr.kernel.label),
        ))
    if not ctx.attr.modules and not ctx.attr.devices and not ctx.attr.extra_modules:
        fail("%s: name modules in modules or extra_modules, or what they are for in devices" % origin)
    for module, severity in ctx.attr.missing_firmware_of.items():
        if severity not in _MISSING:
            fail("%s: missing_firmware_of: %s: %r is not one of %s" % (origin, module, severity, ", ".join(_MISSING)))
    for attribute in ["devices", "extra_modules", "firmware"]:
        for target in getattr(ctx.attr, attribute):
            check_files("%s: %s" % (origin, attribute), target)

def _extra_modules(ctx, origin, kernel):
    """The extra modules, files and directories, and a depset of those that they may need."""
    files, builds = [], []
    for target in ctx.attr.extra_modules:
        where = "%s: extra_modules: %s" % (origin, label_text(target.label))
        if KernelModuleInfo not in target:
            own = target[DefaultInfo].files.to_list()
            files += own
            if [file for file in own if file.extension != "ko"]:
                fail("%s is neither a kernel_module nor a .ko file" % where)
            continue
        build = target[KernelModuleInfo].builds.get(kernel_key(kernel)) if kernel.module_tree else None
        if not build:
            fail("%s is not built for the kernel %s: add it to its attribute kernels" % (
                where,
                label_text(ctx.attr.kernel.label),
            ))
        builds.append(build)
    return files + [build.modules for build in builds], depset(transitive = [build.all_modules for build in builds])

def _kernel_modules_impl(ctx):
    origin = label_text(ctx.label)
    kernel = ctx.attr.kernel[KernelInfo]
    _check(ctx, origin, kernel)
    extra, offered = _extra_modules(ctx, origin, kernel)
    certificate = module_signing(ctx, origin, kernel)

    # The index of drivers takes a minute, and tells nothing without devices.
    driver_index = [kernel.driver_index] if kernel.driver_index and ctx.files.devices else []

    tree = ctx.actions.declare_directory(ctx.label.name)
    archive = ctx.actions.declare_file(ctx.label.name + ".cpio")
    chosen_tree, chosen = tree, archive
    if certificate:
        chosen_tree = ctx.actions.declare_directory(ctx.label.name + ".unsigned")
        chosen = ctx.actions.declare_file(ctx.label.name + ".unsigned.cpio")
    catalog = ctx.actions.declare_file(ctx.label.name + ".catalog")
    report = ctx.actions.declare_file(ctx.label.name + ".report")
    json = ctx.actions.declare_file(ctx.label.name + ".json")

    args = ctx.actions.args()
    args.set_param_file_format("multiline")
    args.use_param_file("@%s")
    args.add("--origin", origin)
    args.add_all("--kernel", [kernel.modules], expand_directories = False)
    args.add("--catalog", kernel.module_catalog)
    facts = [file for file in [kernel.config, kernel.system_map] if file]
    if kernel.config:
        args.add("--config", kernel.config)
    if kernel.system_map:
        args.add("--system-map", kernel.system_map)
    args.add_all(ctx.attr.modules, before_each = "--want")
    args.add_all(ctx.attr.excludes, before_each = "--exclude")
    args.add_all(ctx.files.devices, before_each = "--devices")
    args.add_all(driver_index, before_each = "--driver-index")
    args.add_all(extra, before_each = "--module")
    args.add_all(offered, before_each = "--offer")
    args.add_all(ctx.files.firmware, before_each = "--firmware", expand_directories = False)
    args.add("--missing-firmware", ctx.attr.missing_firmware)
    args.add_all(
        ["%s=%s" % (module, severity) for module, severity in ctx.attr.missing_firmware_of.items()],
        before_each = "--missing-firmware",
    )
    if ctx.attr.strip:
        args.add("--strip")
    if certificate:
        args.add("--for-signing")
    args.add("--compress", ctx.attr.compress)
    args.add("--prefix", ctx.attr.prefix)
    args.add_all("--output", [chosen_tree], expand_directories = False)
    args.add("--archive", chosen)
    args.add("--write-layer-catalog", catalog)
    args.add("--report", report)
    args.add("--json", json)
    run_packer(
        ctx,
        "KernelModules",
        "Choosing modules",
        "modules",
        [chosen_tree, chosen, catalog, report, json],
        depset(
            [kernel.modules, kernel.module_catalog] + facts + ctx.files.devices + driver_index + extra + ctx.files.firmware,
            transitive = [offered],
        ),
        [args],
    )
    if certificate:
        sign_action(ctx, origin, kernel, certificate, chosen, archive, tree)

    # A directory has no links of firmware when another action reads it: an archive has.
    info = initramfs_layer_info([archives_entry(origin, [archive]), modules_entry(origin, catalog)])
    return [
        info,
        DefaultInfo(files = depset([tree])),
        OutputGroupInfo(
            json = depset([json]),
            report = depset([report]),
        ),
    ]

kernel_modules = rule(
    implementation = _kernel_modules_impl,
    attrs = SIGNING_ATTRS | {
        "compress": attr.string(
            default = "keep",
            doc = """How the modules are compressed in the image: "keep" as the kernel has them, "none", or a codec that the
kernel can read. Where the whole image is compressed, modules that are not compressed by themselves make it smaller.""",
            values = [
                "gzip",
                "keep",
                "none",
                "xz",
                "zstd",
            ],
        ),
        "devices": attr.label_list(
            allow_files = True,
            doc = """Descriptions of hardware: device trees (.dtb), and lists of modaliases, one on each line, as
`find /sys -name modalias -exec cat {} +` prints them on a machine. The modules that serve these devices are chosen. The report
says for each device which module that is, and which devices none is for. If the kernel is a `kernel_build`, or a `kernel_import`
with `source`, it also names the options that would turn a driver on.""",
        ),
        "excludes": attr.string_list(
            doc = """Modules to leave out, by name. If a chosen module cannot do without one, that is an error.""",
        ),
        "extra_modules": attr.label_list(
            allow_files = True,
            doc = """Modules that are not in the kernel's tree: `kernel_module` targets that have this kernel among theirs, and
.ko files that were built for it. They are chosen, and go to `updates` in the directory of the modules. Of the `deps` of a
`kernel_module`, what it needs is chosen.""",
        ),
        "firmware": attr.label_list(
            allow_files = True,
            doc = """Directories (tree artifacts) with the firmware that modules ask for, such as a copy of linux-firmware.
Only the files that the chosen modules name are taken, with the links of WHENCE.""",
        ),
        "kernel": attr.label(
            doc = "The kernel: a `kernel_build`, or a `kernel_import` with `modules`.",
            mandatory = True,
            providers = [KernelInfo],
        ),
        "missing_firmware": attr.string(
            default = "error",
            doc = """What to do if firmware that a chosen module names is in none of `firmware`: "error", "warning" (the report
names it), or "off".""",
            values = _MISSING,
        ),
        "missing_firmware_of": attr.string_dict(
            doc = """The same for single modules, by name: `{"i915": "off"}`.""",
        ),
        "modules": attr.string_list(
            doc = """The modules to take: names (`virtio_net`; - and _ are the same), globs of paths below the directory of the
modules (`kernel/drivers/nvme/**`), or aliases. An alias is what a device or the kernel asks for, such as `fs-ext4` or
`pci:v00001AF4d00001041sv00001AF4sd00001100bc02sc00i00`: a whole modalias, not a pattern. One that matches nothing is an
error; one that is built into the kernel is not.""",
        ),
        "prefix": attr.string(
            default = "lib",
            doc = """Where the modules and the firmware go: "lib" for /lib/modules and /lib/firmware, "usr/lib" for images whose
/lib is a link to it.""",
            values = [
                "lib",
                "usr/lib",
            ],
        ),
        "strip": attr.bool(
            doc = """Whether to leave out what the kernel does not load, such as debug information. A module loses its
signature with it, unless the modules are signed again.""",
        ),
    },
    doc = """A layer of kernel modules, with all modules and firmware that they need and the indexes that depmod writes.

Example:

    kernel_modules(
        name = "modules",
        devices = ["board.dtb"],
        firmware = ["@linux_firmware//:tree"],
        kernel = ":kernel",
        modules = [
            "ext4",
            "virtio_net",
        ],
    )

    initramfs(
        name = "image",
        layers = [":modules"],
    )

Modules need others (depends), and they ask for others (softdep, weakdep): all are taken. An image can have several
targets of this rule: its indexes are then those that depmod writes for all modules of a kernel together. What two targets
have at one path must be the same.

With `signing_key` or `signer`, all modules are signed, after they are stripped and before they are compressed. Otherwise they keep
the signatures that they have. A kernel with CONFIG_MODULE_SIG_FORCE loads none without one, so such a module is an error.

The output is the directory that goes into the image. Output groups:

    json    what was chosen, and why, for programs
    report  the same for people: what drew each file in, what is built in, and devices without a module, with the
            options that turn on their drivers
""",
    provides = [InitramfsLayerInfo],
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)
