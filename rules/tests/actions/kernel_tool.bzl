"""Runs the kernel's own gen_init_cpio on the completed list of an image."""

load("@bazel_skylib//rules:diff_test.bzl", "diff_test")
load("//rules:defs.bzl", "InitramfsInfo", "InitramfsLayerInfo")

def _kernel_packed_impl(ctx):
    info = ctx.attr.image[InitramfsInfo]
    archive = ctx.actions.declare_file(ctx.label.name + ".cpio")
    args = ctx.actions.args()
    args.add("-t", ctx.attr.mtime)
    args.add("-o", archive)
    args.add(info.list)
    ctx.actions.run(
        arguments = [args],
        executable = ctx.executable._gen_init_cpio,
        # The list has mapped paths of files, so this action must have the files there too.
        execution_requirements = {"supports-path-mapping": "1"},
        inputs = depset(transitive = [
            ctx.attr.image[OutputGroupInfo].list,
            ctx.attr.layer[InitramfsLayerInfo].files,
        ]),
        mnemonic = "KernelPack",
        outputs = [archive],
    )
    return [DefaultInfo(files = depset([archive]))]

_kernel_packed = rule(
    implementation = _kernel_packed_impl,
    attrs = {
        "image": attr.label(providers = [InitramfsInfo]),
        "layer": attr.label(providers = [InitramfsLayerInfo]),
        "mtime": attr.int(),
        "_gen_init_cpio": attr.label(
            cfg = "exec",
            default = "//tools/packaged:gen_init_cpio",
            executable = True,
        ),
    },
)

def kernel_packed_test(name, image, layer, mtime = 0):
    """Checks that the kernel's tool makes the same bytes from the list of an image.

    Args:
        name: the test's name.
        image: an initramfs without compression, whose entries all come from the layer.
        layer: the layer.
        mtime: the mtime of the image.
    """
    _kernel_packed(
        name = name + "_archive",
        testonly = True,
        image = image,
        layer = layer,
        mtime = mtime,
    )
    diff_test(name = name, file1 = name + "_archive", file2 = image)

def _plain_tree_impl(ctx):
    directory = ctx.actions.declare_directory(ctx.label.name)
    ctx.actions.run_shell(
        command = 'mkdir -p "$1/sub" && echo a >"$1/a" && >"$1/sub/empty"',
        arguments = [directory.path],
        outputs = [directory],
    )
    return [DefaultInfo(files = depset([directory]))]

plain_tree = rule(
    implementation = _plain_tree_impl,
    doc = "A directory with names that the kernel's tool can read.",
)
