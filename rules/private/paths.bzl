"""Paths in an image, and where files are."""

def label_text(label):
    """How a label is written in messages and lists: without the @@ of the main repository."""
    text = str(label)
    return text[2:] if text.startswith("@@//") else text

def check_path(origin, attribute, path):
    """Fails unless a path is one that an entry can have.

    Args:
        origin: the target's label.
        attribute: the attribute that has the path.
        path: the path.
    """
    if not path.startswith("/"):
        fail("%s: %s: %r is not absolute: write %r" % (origin, attribute, path, "/" + path))
    if path == "/":
        fail("%s: %s: / is there already and cannot be given" % (origin, attribute))
    check_parts(origin, attribute, path)

def check_parts(origin, attribute, path):
    """Fails where a path has a part that is no name.

    Args:
        origin: the target's label.
        attribute: the attribute that has the path.
        path: an absolute path.
    """
    for part in path[1:].split("/"):
        if part in ("", ".", ".."):
            fail("%s: %s: %r has an empty, . or .. part: write the path without it" % (origin, attribute, path))

def check_folder(origin, attribute, path):
    """Fails unless a path is one that entries can be below: / is one.

    Args:
        origin: the target's label.
        attribute: the attribute that has the path.
        path: the path.
    """
    if path != "/":
        check_path(origin, attribute, path)

def relative_target(link, target):
    """The text of a symbolic link that leads from one absolute path to another.

    Args:
        link: the path of the symbolic link.
        target: the path that it leads to.

    Returns:
        A relative path: it holds wherever the image is unpacked.
    """
    return "../" * (link.count("/") - 1) + target[1:]

def rlocation_path(workspace, file):
    """Where the runfiles libraries look for a file.

    Args:
        workspace: the name of the main repository, ctx.workspace_name.
        file: the File.

    Returns:
        A path below the runfiles folder.
    """
    if file.short_path.startswith("../"):
        return file.short_path[3:]
    return workspace + "/" + file.short_path
