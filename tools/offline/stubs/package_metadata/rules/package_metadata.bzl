"""What gazelle's BUILD files of Go modules load: metadata that nothing here reads."""

def package_metadata(name, purl, visibility):
    """Declares a target of the name, and drops the rest.

    Args:
        name: the target's name.
        purl: the package's URL.
        visibility: the target's visibility.
    """
    native.filegroup(name = name, visibility = visibility)
