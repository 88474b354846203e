"""Modules out of the kernel's tree."""

load(":archs.bzl", "ARCH_ATTRS", "target_arch")
load(":kbuild.bzl", "KBUILD_ATTRS", "kbuild_action")
load(":paths.bzl", "label_text")
load(":platform_transition.bzl", "PLATFORM_ATTRS", "platform_transition")
load(":providers.bzl", "KernelInfo", "KernelModuleInfo")
load(":toolchains.bzl", "KERNEL_TOOLCHAIN_TYPE")

# kbuild uses all idle CPUs, but most of the time goes into unpacking, which uses one.
def _resources(_os, _inputs):
    return {
        "cpu": 1,
        "memory": 512,
    }

def kernel_key(kernel):
    """Identifies a kernel among those that modules are built for.

    Args:
        kernel: KernelInfo with a module tree.

    Returns:
        A string. A `kernel_image` has the same as its `kernel_build`, whose modules it loads.
    """
    return "%s %s" % (kernel.module_tree.owner, kernel.arch)

def _check_kernel(ctx, target, arch):
    kernel = target[KernelInfo]
    where = "%s: kernels: %s" % (label_text(ctx.label), label_text(target.label))
    if not kernel.module_tree:
        fail("%s has no headers: name the packages in its attribute headers, or use a kernel_build" % where)
    if kernel.arch != arch:
        fail("%s is for %s, and this target is built for %s: set the attribute platform" % (where, kernel.arch, arch))

def _needs(ctx, target):
    """What the modules that deps have for a kernel are, as a list of struct."""
    key = kernel_key(target[KernelInfo])
    builds = []
    for dep in ctx.attr.deps:
        build = dep[KernelModuleInfo].builds.get(key)
        if not build:
            fail("%s: deps: %s is not built for the kernel %s: add it to its attribute kernels" % (
                label_text(ctx.label),
                label_text(dep.label),
                label_text(target.label),
            ))
        builds.append(build)
    return builds

# The path of a source in the build, and the file. Those of other repositories have ../ at the beginning.
def _source(file):
    return "%s=%s" % (file.short_path.removeprefix("../"), file.path)

def _build(ctx, target):
    """Declares the action for a kernel, and returns a value of KernelModuleInfo.builds and the log."""
    kernel = target[KernelInfo]
    needs = _needs(ctx, target)
    symbols = depset(transitive = [build.all_symvers for build in needs], order = "postorder")

    # A target may be for several kernels.
    label = target.label
    name = "_".join([part for part in [label.repo_name] + label.package.split("/") + [label.name] if part])
    modules = ctx.actions.declare_directory("%s/%s" % (ctx.label.name, name))
    symvers = ctx.actions.declare_file("%s/%s.symvers" % (ctx.label.name, name))
    log = ctx.actions.declare_file("%s/%s.log" % (ctx.label.name, name))

    args = ctx.actions.args()
    args.set_param_file_format("multiline")
    args.use_param_file("@%s")
    args.add("--module-tree", kernel.module_tree)
    args.add_all(ctx.files.srcs, before_each = "--source", map_each = _source)
    args.add_all(symbols, before_each = "--extra-symbols")
    args.add_all(
        ["%s=%s" % (variable, value) for variable, value in ctx.attr.make_variables.items()],
        before_each = "--variable",
    )
    if ctx.attr.btf:
        args.add("--btf")
    args.add_all("--output", [modules], expand_directories = False)
    args.add("--symvers", symvers)
    args.add("--log", log)
    kbuild_action(
        ctx,
        "KernelModule",
        "Compiling kernel module",
        "module",
        kernel.arch,
        args,
        inputs = depset([kernel.module_tree] + ctx.files.srcs, transitive = [symbols]),
        outputs = [modules, symvers, log],
        resource_set = _resources,
    )
    return struct(
        all_modules = depset([modules], transitive = [build.all_modules for build in needs]),
        all_symvers = depset([symvers], transitive = [symbols], order = "postorder"),
        modules = modules,
        symvers = symvers,
    ), log

def _kernel_module_impl(ctx):
    arch = target_arch(ctx)
    builds, logs = {}, []
    for target in ctx.attr.kernels:
        _check_kernel(ctx, target, arch)
        build, log = _build(ctx, target)
        builds[kernel_key(target[KernelInfo])] = build
        logs.append(log)
    return [
        DefaultInfo(files = depset([build.modules for build in builds.values()])),
        KernelModuleInfo(builds = builds),
        OutputGroupInfo(
            log = depset(logs),
            symvers = depset([build.symvers for build in builds.values()]),
        ),
    ]

kernel_module = rule(
    implementation = _kernel_module_impl,
    attrs = ARCH_ATTRS | KBUILD_ATTRS | PLATFORM_ATTRS | {
        "btf": attr.bool(
            doc = """Whether to add type information (BTF), which BPF programs need that trace the modules, if the kernel has
CONFIG_DEBUG_INFO_BTF_MODULES. This needs pahole, in the version that the kernel was built with or a newer one.""",
        ),
        "deps": attr.label_list(
            doc = """Other `kernel_module` targets, built for the same kernels, whose symbols these modules use. A
`kernel_modules` layer with these modules takes from them what the modules need.""",
            providers = [KernelModuleInfo],
        ),
        "kernels": attr.label_list(
            allow_empty = False,
            doc = "The kernels to build for: `kernel_build` targets, and `kernel_import` targets with `headers`.",
            mandatory = True,
            providers = [KernelInfo],
        ),
        "make_variables": attr.string_dict(
            doc = """Variables for make, such as `{"CONFIG_VENDOR_DEBUG": "y"}`. Those that belong to the build of the
kernel, such as ARCH and KCPPFLAGS, cannot be set.""",
        ),
        "srcs": attr.label_list(
            allow_files = True,
            doc = """The sources as they are: C, headers, assembler, and the Kbuild file or Makefile with obj-m. The topmost
Kbuild file or Makefile is the one that is built. Files of other directories are found by their paths relative to it.""",
            mandatory = True,
        ),
    },
    cfg = platform_transition,
    doc = """Kernel modules whose source is not in the kernel's tree, compiled by kbuild for each kernel of a list.

Example:

    kernel_module(
        name = "driver",
        srcs = ["Kbuild"] + glob(["*.c", "*.h"]),
        kernels = [":kernel"],
    )

    kernel_modules(
        name = "modules",
        extra_modules = [":driver"],
        kernel = ":kernel",
    )

This takes seconds: `kernel_build` keeps the headers and programs that modules are compiled with, and `kernel_import`
takes them from a distribution's packages. The build fails if a module uses a symbol that neither the kernel nor a module of
`deps` exports. Two builds give the same bytes.

The output is a directory for each kernel, with its .ko files. Output groups:

    log      what kbuild printed
    symvers  the symbols that the modules export, a Module.symvers for each kernel
""",
    provides = [KernelModuleInfo],
    toolchains = [KERNEL_TOOLCHAIN_TYPE],
)
