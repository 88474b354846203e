"""Golden tests: what an image has in it, as a list that a reviewer reads."""

load("@bazel_skylib//rules:diff_test.bzl", "diff_test")

def list_test(name, image, golden):
    """Checks that an image's completed list is a checked-in file.

    Args:
        name: the test's name.
        image: an initramfs.
        golden: the file.
    """
    native.filegroup(name = name + "_list", srcs = [image], output_group = "list")
    diff_test(name = name, file1 = golden, file2 = name + "_list")
