"""The lines of the list that the packer reads for entries.

All of it runs when the packer is about to, on paths that may be mapped: analysis only has the
entries.
"""

load(":paths.bzl", "relative_target", "rlocation_path")
load(":tables.bzl", "LIST_ESCAPES")

def _escape(text):
    for char, code in LIST_ESCAPES:
        if char in text:
            text = text.replace(char, code)
    return text

def _escape_location(text):
    return _escape(text).replace("${", "\\044{")

def _file(name, path, mode, owner = "0 0"):
    return "file %s %s %s %s" % (_escape(name), _escape_location(path), mode, owner)

def _slink(name, target, owner = "0 0"):
    return "slink %s %s 0777 %s" % (_escape(name), _escape(target), owner)

def _below(name, file, expander, mode, owner = "0 0"):
    """A file as the entry of that name, or the content of a tree artifact below it."""
    lines = []
    for child in expander.expand(file) if file.is_directory else [file]:
        # aquery, before anything is built, has the tree artifact for its content.
        below = "/" + child.tree_relative_path if child != file else ""
        lines.append(_file(name + below, child.path, mode, owner))
    return lines

def _tree_lines(e, expander):
    lines = []
    for file in e.files.to_list():
        if file.is_directory:
            lines += _below(e.name, file, expander, e.mode, e.owner)
            continue
        path = file.short_path.removeprefix("../")
        if not path.startswith(e.strip):
            fail("%s: trees: %s: %s does not begin with the prefix to strip, %s" % (e.origin, e.name, path, e.strip))
        lines.append(_file(e.name + "/" + path[len(e.strip):], file.path, e.mode, e.owner))
    return lines

def _binary_lines(e, expander):
    lines = [_file(e.name, e.file.path, "0755")]
    folder = e.name + ".runfiles/"
    own = folder + rlocation_path(e.workspace, e.file)
    rest = []

    # Which of the runfiles are programs is not known.
    for file in e.files.to_list():
        if file != e.file:
            rest += _below(folder + rlocation_path(e.workspace, file), file, expander, "0755")
    for path in e.empty.to_list():
        rest.append(_file(folder + e.workspace + "/" + path, "/dev/null", "0644"))
    for link in e.symlinks.to_list():
        rest += _below(folder + e.workspace + "/" + link.path, link.target_file, expander, "0755")
    for link in e.root_symlinks.to_list():
        rest += _below(folder + link.path, link.target_file, expander, "0755")
    if not rest:
        return lines
    if e.repo_mapping:
        rest.append(_file(folder + "_repo_mapping", e.repo_mapping.path, "0644"))
    return lines + [_slink(own, relative_target(own, e.name))] + rest

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
        ["#: archive %s %s" % (_escape(file.path), _escape(e.prefix)) for file in e.archives]
    )

def _change_lines(attribute, text):
    """A directive that changes other entries, from an attribute."""
    return ["#: attribute " + attribute, "#: " + text]

def _plain_lines(e, _):
    return ["%s %s %s" % (e.kind, _escape(e.name), e.rest)]

# The lines of the kinds that are not one line of words that need no escapes.
_LINES = {
    "archives": lambda e, _: _archives_lines(e),
    "binary": _binary_lines,
    "file": lambda e, _: [_file(e.name, e.file.path, e.mode, e.owner)],
    "hardlink": lambda e, _: _change_lines("hardlinks", "hardlink %s %s" % (_escape(e.name), _escape(e.file))),
    "lists": lambda e, _: _lists_lines(e),
    "metadata": lambda e, _: _change_lines("metadata", "metadata %s %s" % (_escape(e.name), e.fields)),
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
        The lines. The first one says where the entry comes from.
    """
    return ["#: origin " + _escape(e.origin)] + _LINES.get(e.kind, _plain_lines)(e, expander)
