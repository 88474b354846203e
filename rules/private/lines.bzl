"""The lines of the list that the packer reads for entries.

All of it runs when the packer is about to, on paths that may be mapped: analysis only has the
entries.
"""

load(":paths.bzl", "label_text", "relative_target", "rlocation_path", "runfiles_path")
load(":tables.bzl", "LIST_ESCAPES")

def _escape(text):
    for char, code in LIST_ESCAPES:
        if char in text:
            text = text.replace(char, code)
    return text

def _escape_location(text):
    return _escape(text).replace("${", "\\044{")

_PRODUCER = "#: producer"

def _producer(file):
    """The line that says which target made what follows: the one that has the file as an output, or the source file itself."""
    return _PRODUCER + " " + _escape(label_text(file.owner)) if file else _PRODUCER

def _file(name, file, mode, owner = "0 0"):
    """The lines of a file, or of an empty file in place of None."""
    path = file.path if file else "/dev/null"
    return [_producer(file), "file %s %s %s %s" % (_escape(name), _escape_location(path), mode, owner)]

def _without_repeats(lines):
    """Leaves out lines that name the producer which the lines before them have already."""
    kept, producer = [], _PRODUCER
    for line in lines:
        if line.startswith("#: origin"):
            producer = _PRODUCER
        if line.startswith(_PRODUCER):
            if line == producer:
                continue
            producer = line
        kept.append(line)
    return kept

def _slink(name, target, owner = "0 0"):
    return "slink %s %s 0777 %s" % (_escape(name), _escape(target), owner)

def _dir(name):
    return "dir %s 0755 0 0" % _escape(name)

def _below(name, file, expander, mode, owner = "0 0"):
    """A file as the entry of that name, or the content of a tree artifact below it."""
    lines = []
    for child in expander.expand(file) if file.is_directory else [file]:
        # aquery, before anything is built, has the tree artifact for its content.
        below = "/" + child.tree_relative_path if child != file else ""
        lines += _file(name + below, child, mode, owner)
    return lines

def _error(text):
    """An error that the packer reports, with all others."""
    return ["#: error " + _escape(text)]

def _strip(path, prefix):
    """Removes a prefix from the short path of a file: one of the workspace, or of the file's own repository."""
    paths = [path.removeprefix("../")]
    if path.startswith("../"):
        paths.append(paths[0].partition("/")[2])
    for path in paths:
        if path.startswith(prefix):
            return path[len(prefix):]
    return None

def _tree_lines(e, expander):
    lines = []
    for file in e.files.to_list():
        if file.is_directory:
            lines += _below(e.name, file, expander, e.mode, e.owner)
            continue
        path = _strip(file.short_path, e.strip)
        if path == None:
            return _error(
                "%s: %s is not below %s: set tree_strip_prefixes to a directory of the repository that all files are below, or split the target" %
                (e.name or "/", file.short_path.removeprefix("../"), e.strip.removesuffix("/")),
            )
        lines += _file(e.name + "/" + path, file, e.mode, e.owner)
    return lines or _error(
        "%s: %s has no files, and Bazel keeps no empty directories: add directories with dirs, or remove the path" %
        (e.name or "/", ", ".join([file.short_path for file in e.files.to_list()]) or "the target"),
    )

def _is_obscured(path, found):
    """Reports whether a path is below another one, where Bazel's runfiles tree has a link to a directory."""
    parts = path.split("/")
    for i in range(1, len(parts)):
        if "/".join(parts[:i]) in found:
            return True
    return False

def _runfiles(e, own):
    """The runfiles of a program, as Bazel's runfiles tree has them: a File or, for an empty file, None by path.

    Args:
        e: the entry of the program.
        own: the path of the program itself.

    Returns:
        A dict, with the program first.
    """
    found = {own: e.file}
    for file in e.files.to_list():
        found[rlocation_path(e.workspace, file)] = file

    # With --legacy_external_runfiles, Bazel names empty files of other repositories by their old paths.
    old = "external/"
    own_old = any([path.startswith(e.workspace + "/" + old) for path in found])
    for path in e.empty.to_list():
        if path.startswith(old) and not own_old:
            path = "../" + path.removeprefix(old)
        found.setdefault(runfiles_path(e.workspace, path), None)

    # A file takes precedence over a link at its path, and a link at the root over both.
    for link in e.symlinks.to_list():
        path = runfiles_path(e.workspace, link.path)
        found[path] = found.get(path) or link.target_file
    found = {path: file for path, file in found.items() if not _is_obscured(path, found)}
    for link in e.root_symlinks.to_list():
        found[link.path] = link.target_file
    return found

# Where loaders look for shared libraries in any case. The first program needs them there: without /proc, its loader does
# not know $ORIGIN, from which Bazel's search paths begin.
SHARED_LIBRARY_DIRECTORY = "/usr/lib/"

def is_shared_library(path):
    """Reports whether a path of a file is that of a shared library that Bazel links programs with.

    Args:
        path: the path, among runfiles or below the workspace.

    Returns:
        A bool.
    """
    return "/_solib_" in "/" + path

def _needs_own_place(e, runfiles):
    """Reports whether a program finds its shared libraries only by its own name or place among the runfiles."""
    if e.name.endswith("/" + e.file.basename):
        return False
    return any([is_shared_library(path) for path in runfiles])

def _binary_lines(e, expander):
    own = rlocation_path(e.workspace, e.file)
    runfiles = _runfiles(e, own)
    if len(runfiles) == 1:
        return _file(e.name, e.file, "0755")
    root = e.name + ".runfiles/"
    if _needs_own_place(e, runfiles):
        lines = [_slink(e.name, root.split("/")[-2] + "/" + own)] + _file(root + own, e.file, "0755")
        if e.fields:
            lines += _change_lines("metadata", "metadata %s %s" % (_escape(root + own), e.fields))
            lines.append("#: attribute " + (e.attribute or ""))
    else:
        lines = _file(e.name, e.file, "0755") + [_slink(root + own, relative_target(root + own, e.name))]

    # Which of the runfiles are programs is not known.
    for path, file in runfiles.items():
        if file == None:
            lines += _file(root + path, None, "0644")
        elif path != own:
            lines += _below(root + path, file, expander, "0755") or [_dir(root + path)]
        if e.name == "/init" and is_shared_library(path):
            lines += _file(SHARED_LIBRARY_DIRECTORY + path.split("/")[-1], file, "0755")
    if not any([path.startswith(e.workspace + "/") for path in runfiles]):
        # Bazel makes sure that the directory of the main repository exists.
        lines += _file(root + e.workspace + "/.runfile", None, "0644")
    if e.repo_mapping:
        lines += _file(root + "_repo_mapping", e.repo_mapping, "0644")
    return lines

def _spellings(label, origin):
    """The ways in which $(location ...) in a list of a target may write a label.

    Args:
        label: a label as label_text writes it.
        origin: that of the target that has the list.

    Returns:
        A list of texts.
    """
    repository, _, path = label.rpartition("//")
    package, _, name = path.partition(":")
    paths = [path]
    if package.split("/")[-1] == name:
        paths.append(package)
    prefixes = [repository] if repository else ["", "@", "@@"]
    spellings = [prefix + "//" + text for prefix in prefixes for text in paths]
    if label.partition(":")[0] == origin.partition(":")[0]:
        spellings += [":" + name, name]
    return spellings

def _lists_lines(e):
    lines = ["#: attribute list_vars"]
    lines += ["#: var %s %s" % (_escape(name), _escape(value)) for name, value in e.vars]
    lines.append("#: attribute list_locations")
    for key, file, label in e.data:
        names = [key, file.path] + _spellings(label, e.origin)
        lines.append("#: location " + " ".join([_escape(name) for name in names]))
    return lines + ["#: list " + _escape(file.path) for file in e.lists]

def _archives_lines(e):
    return (
        ["#: attribute archive_excludes"] +
        ["#: exclude " + _escape(glob) for glob in e.excludes] +
        ["#: attribute archive_includes"] +
        ["#: include " + _escape(glob) for glob in e.includes] +
        ["#: attribute archive_whiteouts", "#: whiteouts " + e.whiteouts] +
        ["#: attribute archives"] +
        [
            line
            for file in e.archives
            for line in [_producer(file), "#: archive %s %s" % (_escape(file.path), _escape(e.prefix))]
        ]
    )

def _library_lines(e, expander):
    """The lines of the sources of libraries. Those of layers have lines with origins of their own."""
    begin = ["#: origin " + _escape(e.origin), "#: attribute " + (e.attribute or "")]
    fields = (
        ["dlopen=" + e.dlopen] +
        ["feature=" + _escape(feature) for feature in e.features] +
        ["extra=" + extra for extra in e.extras]
    )
    lines = ["#: libraries " + " ".join(fields)]
    for source in e.sources.to_list():
        lines += begin + ["#: library " + _escape(source.label)]
        for entry in source.entries.to_list():
            if entry.kind not in ("libraries", "modules"):
                lines += _origin_lines(entry) + _LINES.get(entry.kind, _plain_lines)(entry, expander)
    return lines + begin + ["#: endlibraries"]

def _origin_lines(e):
    lines = ["#: origin " + _escape(e.origin)]
    if getattr(e, "attribute", None):
        lines.append("#: attribute " + e.attribute)
    return lines

def _change_lines(attribute, text):
    """A directive that changes other entries, from an attribute."""
    return ["#: attribute " + attribute, "#: " + text]

def _plain_lines(e, _):
    return ["%s %s %s" % (e.kind, _escape(e.name), e.rest)]

# The lines of the kinds that are not one line of words that need no escapes.
_LINES = {
    "archives": lambda e, _: _archives_lines(e),
    "binary": _binary_lines,
    "file": lambda e, _: _file(e.name, e.file, e.mode, e.owner),
    "hardlink": lambda e, _: _change_lines("hardlinks", "hardlink %s %s" % (_escape(e.name), _escape(e.file))),
    "lists": lambda e, _: _lists_lines(e),
    "metadata": lambda e, _: _change_lines("metadata", "metadata %s %s" % (_escape(e.name), e.fields)),
    "modules": lambda e, _: ["#: modules " + _escape(e.catalog.path)],
    "replaces": lambda e, _: _change_lines("replaces", "replaces " + _escape(e.name)),
    "slink": lambda e, _: [_slink(e.name, e.target, e.owner)],
    "tree": _tree_lines,
}

def link_lines(e, expander):
    """The lines of list_lines from which the symbolic links of a layer follow.

    Args:
        e: an entry of InitramfsLayerInfo.entries.
        expander: the DirectoryExpander.

    Returns:
        The lines.
    """
    return list_lines(e, expander) if e.kind in ("archives", "lists", "replaces", "slink") else []

def list_lines(e, expander):
    """The lines of the generated list for an entry: a map_each callback of Args.

    Args:
        e: an entry of InitramfsLayerInfo.entries.
        expander: the DirectoryExpander.

    Returns:
        The lines. The first ones say where the entry comes from.
    """
    lines = _library_lines if e.kind == "libraries" else _LINES.get(e.kind, _plain_lines)
    return _without_repeats(_origin_lines(e) + lines(e, expander))
