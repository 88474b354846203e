"""Boots of images whose /init compares what the kernel has unpacked with a list of expectations."""

load("//rules:defs.bzl", "boot_test", "initramfs")

# The last line of an /init that found everything as expected.
_ALL_PASSED = "^check: [1-9][0-9]* passed, 0 failed$"

# The kernel prints these when it loses a part of an image.
_FORBID = [
    "Initramfs unpacking failed",
    "bootconfig checksum failed",
]

def checked_image(name, expectations, layers = [], **kwargs):
    """An image with the checking /init.

    Args:
        name: the image's name.
        expectations: the file that says what is there: see //rules/tests/boot/check.
        layers: its layers, which come after the one with /init.
        **kwargs: more attributes of initramfs.
    """
    initramfs(
        name = name,
        files = {"/expect/" + name: expectations},
        layers = ["//rules/tests/boot/check:layer"] + layers,
        **kwargs
    )

def checked_boot_test(name, initramfs, expect = [], forbid = _FORBID, **kwargs):
    """Boots an image with the checking /init, which must find everything as expected.

    Args:
        name: the test's name.
        initramfs: the image.
        expect: what else the console's lines must match, before.
        forbid: what no line may match.
        **kwargs: more attributes of boot_test.
    """
    boot_test(
        name = name,
        expect = expect + [_ALL_PASSED],
        forbid = forbid,
        initramfs = initramfs,
        kernel = "//examples:kernel",
        **kwargs
    )
