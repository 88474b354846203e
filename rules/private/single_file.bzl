"""Checks of the files of targets."""

load(":paths.bzl", "label_text")

def check_files(where, target):
    """Fails if a target has no files.

    Args:
        where: the label and attribute, for errors.
        target: the target.
    """
    if not target[DefaultInfo].files:
        fail("%s: %s has no files: add some to it, or remove it here" % (where, label_text(target.label)))

def single_file(where, target, or_executable = False, hint = ""):
    """Returns the only file of a target, and fails if there is no such file.

    Args:
        where: the label and attribute, for errors.
        target: the target.
        or_executable: whether the executable is meant if the target has several files.
        hint: the end of the error: what to do instead.

    Returns:
        A File, which is not a directory.
    """
    files = target[DefaultInfo].files.to_list()
    executable = target[DefaultInfo].files_to_run.executable
    if len(files) != 1 and executable and or_executable:
        return executable
    if len(files) != 1:
        fail("%s: %s has %d files: want a single file%s" % (where, label_text(target.label), len(files), hint))
    if files[0].is_directory:
        fail("%s: %s is a directory: want a single file%s" % (where, label_text(target.label), hint))
    return files[0]
