"""Labels in messages, paths in an image, and paths of runfiles."""

def label_text(label):
    """Writes a label for messages and lists: without the @@ of the main repository.

    Args:
        label: a Label.

    Returns:
        A string.
    """
    text = str(label)
    return text[2:] if text.startswith("@@//") else text

def check_path(where, path):
    """Fails unless an entry can have a path.

    Args:
        where: the label and attribute, for errors: "//x:y: files".
        path: the path.
    """
    if not path.startswith("/"):
        fail("%s: %r is not absolute: write %r" % (where, path, "/" + path))
    if path == "/":
        fail("%s: / always exists and cannot be given" % where)
    check_parts(where, path)

def check_parts(where, path):
    """Fails if a part of a path is empty, . or ...

    Args:
        where: the label and attribute, for errors.
        path: an absolute path.
    """
    for part in path[1:].split("/"):
        if part in ("", ".", ".."):
            fail("%s: %r has an empty, . or .. part: write the path without it" % (where, path))

def check_directory_path(where, path):
    """Fails unless entries can be below a path, which may be /.

    Args:
        where: the label and attribute, for errors.
        path: the path.
    """
    if path != "/":
        check_path(where, path)

def relative_target(link, target):
    """Computes the target of a symbolic link from one absolute path to another.

    Args:
        link: the path of the symbolic link.
        target: the path that it points to.

    Returns:
        A relative path, which holds wherever the image is unpacked.
    """
    return "../" * (link.count("/") - 1) + target[1:]

def runfiles_path(workspace, path):
    """Returns where the runfiles directory has a path.

    Args:
        workspace: the name of the main repository, ctx.workspace_name.
        path: a path relative to the main repository, such as ../REPOSITORY/FILE.

    Returns:
        A path below the runfiles directory.
    """
    return path[3:] if path.startswith("../") else workspace + "/" + path

def rlocation_path(workspace, file):
    """Returns the path by which the runfiles libraries find a file.

    Args:
        workspace: the name of the main repository, ctx.workspace_name.
        file: the File.

    Returns:
        A path below the runfiles directory.
    """
    return runfiles_path(workspace, file.short_path)
