"""The packer's actions: what turns layers into an archive, and reads one."""

load(":lines.bzl", "link_lines", "list_lines")
load(":tables.bzl", "IMAGE_VIEWS")
load(":toolchains.bzl", "PACKER_TOOLCHAIN_TYPE")

def run_packer(ctx, mnemonic, progress, command, outputs, inputs, arguments, tools = [], requirements = {}):
    """Runs a command of the packer.

    Args:
        ctx: the context of a rule with the packer's toolchain.
        mnemonic: the action's mnemonic.
        progress: what Bazel says while it runs.
        command: the command.
        outputs: list of File.
        inputs: list or depset of File.
        arguments: list of Args.
        tools: list of FilesToRunProvider that the command runs.
        requirements: dict of more execution requirements.
    """
    packer = ctx.toolchains[PACKER_TOOLCHAIN_TYPE].packer
    first = ctx.actions.args()
    first.add(command)
    ctx.actions.run(
        arguments = [first] + arguments,
        executable = packer,
        execution_requirements = {"supports-path-mapping": "1"} | requirements,
        inputs = inputs,
        mnemonic = mnemonic,
        outputs = outputs,
        progress_message = progress + " %{label}",
        toolchain = PACKER_TOOLCHAIN_TYPE,
        tools = tools,
        # A compressor or a signer may be a script that finds its program on PATH.
        use_default_shell_env = bool(tools),
    )

def add_texts(args, ctx, options):
    """Adds options of the packer whose values are attributes, except for empty ones.

    Args:
        args: the Args to add to.
        ctx: the rule's context.
        options: dict of the name of an attribute, a string, to the option.
    """
    for attribute, option in options.items():
        if getattr(ctx.attr, attribute):
            args.add(option, getattr(ctx.attr, attribute))

def compression_args(ctx, method):
    """The options that say how to compress.

    Args:
        ctx: the rule's context.
        method: struct of codec, level, compressor (FilesToRunProvider or None) and compressor_args.

    Returns:
        An Args.
    """
    args = ctx.actions.args()
    if method.compressor:
        args.add("--compressor-program", method.compressor.executable)
        args.add_all(method.compressor_args, format_each = "--compressor-arg=%s")
    else:
        args.add("--compress", "%s:%d" % (method.codec, method.level) if method.level else method.codec)
    return args

def declare_views(ctx, views = IMAGE_VIEWS):
    """Declares the files of IMAGE_VIEWS for the image of a target.

    Args:
        ctx: the rule's context.
        views: the names of those to declare.

    Returns:
        A dict of a name to a File.
    """
    return {view: ctx.actions.declare_file("%s.%s" % (ctx.label.name, view)) for view in views}

def _view_args(ctx, views):
    """The options that name the files of views."""
    args = ctx.actions.args()
    for view, file in views.items():
        args.add("--write-" + view, file)
    return args

def pack_action(ctx, layer, archive, completed, method, options, inputs = [], contents = None, views = {}, progress = "Packing initramfs"):
    """Packs a layer.

    Args:
        ctx: the rule's context.
        layer: its InitramfsLayerInfo.
        archive: the File to make.
        completed: the File that gets the completed list.
        method: how to compress, as for compression_args.
        options: list of Args: more options of packer pack.
        inputs: list of File that the options name.
        contents: the directory that gets what archives among the entries hold, or None.
        views: dict of a name of IMAGE_VIEWS to the File that gets it.
        progress: what Bazel says while it runs.
    """
    outputs = [archive, completed] + views.values()
    fixed = ctx.actions.args()
    fixed.add_all(["--directives", "--parents", "--build-outputs", "bazel-out"])
    fixed.add("--out", archive)
    fixed.add("--write-list", completed)
    if contents:
        fixed.add_all("--write-contents", [contents], expand_directories = False)
        outputs.append(contents)

    generated = ctx.actions.args()
    generated.set_param_file_format("multiline")
    generated.use_param_file("%s", use_always = True)
    generated.add_all(layer.entries, map_each = list_lines)

    run_packer(
        ctx,
        "InitramfsPack",
        progress,
        "pack",
        outputs,
        depset(inputs, transitive = [layer.files]),
        [fixed, _view_args(ctx, views), compression_args(ctx, method)] + options + [generated],
        tools = [method.compressor] if method.compressor else [],
    )

def links_action(ctx, layer, links, completed):
    """Lists the symbolic links of a layer, which the layers after it need to be packed.

    Args:
        ctx: the rule's context.
        layer: its InitramfsLayerInfo.
        links: the File to make.
        completed: the completed list of the layer. It says which links the layer has of its libraries.
    """
    if layer.libraries:
        args = ctx.actions.args()
        args.add("--directives")
        args.add("--out", links)
        args.add(completed)
        run_packer(ctx, "InitramfsLinks", "Listing the links of initramfs", "links", [links], [completed], [args])
        return
    lines = ctx.actions.args()
    lines.set_param_file_format("multiline")
    lines.add_all(layer.entries, map_each = link_lines)
    if not layer.archives and not layer.lists:
        ctx.actions.write(links, lines)
        return
    lines.use_param_file("%s", use_always = True)
    args = ctx.actions.args()
    args.add("--directives")
    args.add("--out", links)
    run_packer(
        ctx,
        "InitramfsLinks",
        "Listing the links of initramfs",
        "links",
        [links],
        depset(transitive = [layer.archives, layer.lists]),
        [args, lines],
    )

def _catalog_args(ctx, catalogs):
    """The options that name the catalogs of kernel modules."""
    args = ctx.actions.args()
    args.add_all(catalogs, before_each = "--module-catalog")
    return args

def join_action(ctx, archive, parts, catalogs, method, options, inputs = []):
    """Joins the archives of layers: a copy, and a check that they fit together.

    Args:
        ctx: the rule's context.
        archive: the File to make.
        parts: list of struct of file and list: a layer's archive and its list, Files.
        catalogs: depset of File: the catalogs of kernel modules whose indexes are merged.
        method: how to compress, as for compression_args.
        options: list of Args: more options of packer join.
        inputs: list of File that the options name.
    """
    args = ctx.actions.args()
    args.add("--out", archive)
    pairs = ctx.actions.args()
    files = []
    for part in parts:
        pairs.add_all([part.file, part.list])
        files += [part.file, part.list]
    run_packer(
        ctx,
        "InitramfsJoin",
        "Joining the layers of initramfs",
        "join",
        [archive],
        depset(inputs + files, transitive = [catalogs]),
        [args, _catalog_args(ctx, catalogs), compression_args(ctx, method)] + options + [pairs],
        tools = [method.compressor] if method.compressor else [],
    )

def tail_action(ctx, tail, completed, contents, views, lists, catalogs, method, options, inputs = []):
    """Makes what follows the layers of an image, and checks that they fit together.

    Args:
        ctx: the rule's context.
        tail: the File to make, which may be empty.
        completed: the File that gets the list of all.
        contents: the directory that gets the files of the tail, or None if it has none.
        views: dict of a name of IMAGE_VIEWS to the File that gets it, for the image.
        lists: list of File: the layers' lists.
        catalogs: depset of File: the catalogs of kernel modules whose indexes are merged.
        method: how to compress, as for compression_args.
        options: list of Args: more options of packer join.
        inputs: list of File that the options name.
    """
    args = ctx.actions.args()
    args.add("--tail")
    args.add("--out", tail)
    args.add("--write-list", completed)
    if contents:
        args.add_all("--write-contents", [contents], expand_directories = False)
    names = ctx.actions.args()
    names.add_all(lists)
    run_packer(
        ctx,
        "InitramfsTail",
        "Ending the layers of initramfs",
        "join",
        [tail, completed] + ([contents] if contents else []) + views.values(),
        depset(inputs + lists, transitive = [catalogs]),
        [args, _catalog_args(ctx, catalogs), _view_args(ctx, views), compression_args(ctx, method)] + options + [names],
        tools = [method.compressor] if method.compressor else [],
    )

def view_action(ctx, archive, view, file):
    """Writes a view of an image that was built elsewhere.

    Args:
        ctx: the rule's context.
        archive: the image.
        view: a name of IMAGE_VIEWS that has a command.
        file: the File that gets it.
    """
    command = IMAGE_VIEWS[view].command
    args = ctx.actions.args()
    args.add_all(command[1:])
    args.add("--out", file)
    args.add(archive)
    run_packer(ctx, "InitramfsListing", "Listing initramfs", command[0], [file], [archive], [args])

def extract_action(ctx, archive, directory):
    """Unpacks an image, without its owners and device nodes.

    Args:
        ctx: the rule's context.
        archive: the image.
        directory: the directory to make.
    """
    args = ctx.actions.args()
    args.add("--skip-special")
    args.add(archive)
    args.add_all([directory], expand_directories = False)
    run_packer(ctx, "InitramfsExtract", "Unpacking initramfs", "extract", [directory], [archive], [args])

def lint_action(ctx, parts, report, rules, arch, origins = None):
    """Checks that a kernel unpacks all of an image and can start it.

    Args:
        ctx: the rule's context.
        parts: list of File: the image, or its parts in their order.
        report: the File to write.
        rules: dict of a rule's id to "off", "warning" or "error".
        arch: the architecture that programs must be for, or None.
        origins: the completed list, for the labels in messages, or None.
    """
    args = ctx.actions.args()
    for rule, severity in rules.items():
        args.add("--" + severity, rule)
    if arch:
        args.add("--arch", arch)
    if origins:
        args.add("--origins", origins)
    args.add("--out", report)
    args.add_all(parts)
    run_packer(
        ctx,
        "InitramfsLint",
        "Checking initramfs",
        "lint",
        [report],
        parts + ([origins] if origins else []),
        [args],
    )

def diff_action(ctx, old, new, out, options = []):
    """Says how two images differ.

    Args:
        ctx: the rule's context.
        old: an image.
        new: another one.
        out: the File to write.
        options: list of options of packer diff.
    """
    args = ctx.actions.args()
    args.add_all(options)
    args.add("--out", out)
    args.add_all([old, new])
    run_packer(ctx, "InitramfsDiff", "Comparing initramfs", "diff", [out], [old, new], [args])
