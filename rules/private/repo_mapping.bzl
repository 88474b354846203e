"""The repository mapping of a program, which runfiles libraries need to find files of other repositories."""

_RepoMappingInfo = provider(
    doc = "The repository mapping of the program that a target forwards.",
    fields = {"manifest": "File: the mapping."},
)

def _manifest(target):
    return getattr(target[DefaultInfo].files_to_run, "repo_mapping_manifest", None)

def _repo_mapping_aspect_impl(target, ctx):
    executable = target[DefaultInfo].files_to_run.executable
    if ctx.rule.kind != "filegroup" or not executable:
        return []
    for source in getattr(ctx.rule.attr, "srcs", []):
        manifest = repo_mapping(source)
        if manifest and source[DefaultInfo].files_to_run.executable == executable:
            return [_RepoMappingInfo(manifest = manifest)]
    return []

repo_mapping_aspect = aspect(
    implementation = _repo_mapping_aspect_impl,
    attr_aspects = ["srcs"],
    doc = """Finds the repository mapping of a program through a filegroup, for `binary_entry`. Bazel gives a filegroup
the program and its runfiles, but not this file of theirs.""",
)

def repo_mapping(target):
    """Returns the repository mapping of a program.

    Args:
        target: the target of the program, or a filegroup with it in an attribute that has repo_mapping_aspect.

    Returns:
        A File, or None if there is none or it is not known.
    """
    if _RepoMappingInfo in target:
        return target[_RepoMappingInfo].manifest
    return _manifest(target)
