"""Programs with runfiles of all kinds, and what Bazel itself makes of their runfiles."""

load("//rules:defs.bzl", "initramfs")

def _program_impl(ctx):
    executable = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.write(executable, "#!/bin/sh\n", is_executable = True)
    empty = ctx.actions.declare_directory(ctx.label.name + ".empty")
    ctx.actions.run_shell(command = "true", outputs = [empty])
    full = ctx.actions.declare_directory(ctx.label.name + ".full")
    ctx.actions.run_shell(command = 'mkdir "$1/sub" && echo a >"$1/sub/a"', arguments = [full.path], outputs = [full])
    link = ctx.actions.declare_symlink(ctx.label.name + ".link")
    ctx.actions.symlink(output = link, target_path = "/somewhere/else")
    data = ctx.file.data
    runfiles = ctx.runfiles(
        files = ctx.files.others + [data, empty, full, link],
        root_symlinks = {"root/link": data},
        symlinks = {
            "../elsewhere/file": data,
            # The same file by two ways at one path.
            data.short_path: data,
            # Bazel warns that the directory hides this one.
            full.short_path + "/sub/a": data,
        },
    )
    return [DefaultInfo(executable = executable, runfiles = runfiles)]

program = rule(
    implementation = _program_impl,
    attrs = {
        "data": attr.label(allow_single_file = True),
        "others": attr.label_list(allow_files = True),
    },
    executable = True,
)

def _manifest_impl(ctx):
    return [DefaultInfo(files = depset([ctx.attr.program[DefaultInfo].files_to_run.runfiles_manifest]))]

_manifest = rule(
    implementation = _manifest_impl,
    attrs = {"program": attr.label()},
)

# Later Bazels have no Python rules of their own, and empty files come from no other rule.
HAS_PYTHON = hasattr(native, "py_binary")

def python_program(name, main):
    """A Python program with a library of another repository.

    Args:
        name: the name.
        main: the source file.
    """

    # buildifier: disable=native-py
    native.py_binary(
        name = name,
        srcs = [main],
        main = main,
        deps = ["@bazel_tools//tools/python/runfiles"],
    )

def runfiles_image(name, program, path, of = None):
    """An image of a program, the list of it, and the manifest of its runfiles.

    Args:
        name: the image's name. The list is NAME_list, and the manifest NAME_manifest.
        program: the program.
        path: its path in the image.
        of: the target of the program, if `program` has no runfiles of its own.
    """
    initramfs(
        name = name,
        binaries = {path: program},
        compression = "none",
        lint = {
            "elf-interpreter": "off",
            "interpreter": "off",
            # The C library.
            "library": "warning",
            "no-init": "off",
        },
    )
    native.filegroup(
        name = name + "_list",
        srcs = [name],
        output_group = "list",
    )
    _manifest(
        name = name + "_manifest",
        program = of or program,
    )
