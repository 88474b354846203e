"""What gazelle's BUILD files of Go modules load: metadata that nothing here reads."""

def package_metadata(name, purl, visibility):
    """Declares a target of the name, and drops the rest.

    Args:
        name: the target's name.
        purl: the package's URL, unused.
        visibility: the target's visibility.
    """
    _ = purl  # @unused

    # Without the default metadata of its repository, which is this target itself.
    native.filegroup(name = name, applicable_licenses = [], visibility = visibility)
