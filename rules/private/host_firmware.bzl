"""The firmware of machines, and the TPM, that are installed on this machine, as toolchains."""

load(":host_toolchains.bzl", "first_line", "write_toolchains")

# What is installed for QEMU, a file each: docs/interop/firmware.json of QEMU describes them.
_DESCRIPTIONS = "/usr/share/qemu/firmware"

# U-Boot's board of each of Debian's architectures, in the package u-boot-qemu.
_UBOOT = "/usr/lib/u-boot"
_UBOOT_BOARDS = {
    "arm64": "qemu_arm64",
    "riscv64": "qemu-riscv64_smode",
}

def _descriptions(rctx):
    """The descriptions of UEFI firmware in flash, in the order of preference."""
    directory = rctx.path(_DESCRIPTIONS)
    if not directory.exists:
        return []
    files = sorted([file for file in directory.readdir() if file.basename.endswith(".json")], key = lambda file: file.basename)
    descriptions = [json.decode(rctx.read(file)) for file in files]
    return [
        description
        for description in descriptions
        if "uefi" in description["interface-types"] and description["mapping"]["device"] == "flash"
    ]

def _flash(rctx, descriptions, qemu, secure_boot):
    """The files of the first firmware for a program of QEMU that has no keys, or None."""
    for description in descriptions:
        mapping, features = description["mapping"], description["features"]
        images = [mapping.get("executable"), mapping.get("nvram-template")]
        if (
            qemu in ["qemu-system-" + target["architecture"] for target in description["targets"]] and
            "enrolled-keys" not in features and
            ("secure-boot" in features) == secure_boot and
            not [image for image in images if not image or image["format"] != "raw" or not rctx.path(image["filename"]).exists]
        ):
            return struct(code = images[0]["filename"], variables = images[1]["filename"])
    return None

def _uefi(rctx, descriptions, row):
    plain = _flash(rctx, descriptions, row.qemu, False)
    secure = _flash(rctx, descriptions, row.qemu, True)
    if not plain:
        # Files that are there as labels, of a toolchain that is not used.
        return False, {"code": "BUILD.bazel", "variables": "BUILD.bazel"}
    attributes = {}
    for name, file in [
        ("code", plain.code),
        ("variables", plain.variables),
    ] + ([("secure_boot_code", secure.code)] if secure else []):
        to = "%s/%s.fd" % (row.efi, name)
        rctx.symlink(file, "uefi/" + to)
        attributes[name] = to
    return True, attributes

def _uboot(rctx, row):
    image = rctx.path("%s/%s/u-boot.bin" % (_UBOOT, _UBOOT_BOARDS.get(row.debian, "none")))
    if not image.exists:
        return False, {"image": "BUILD.bazel"}
    to = row.efi + "/u-boot.bin"
    rctx.symlink(image, "uboot/" + to)
    return True, {"image": to}

def _swtpm(rctx):
    version = first_line(rctx, "swtpm", "--version")
    if version:
        rctx.file("swtpm/swtpm", "#!/bin/sh\nexec '%s' \"$@\"\n" % rctx.which("swtpm"))
    return bool(version), {
        "swtpm": "swtpm" if version else "BUILD.bazel",
        "version": version,
    }

def _host_firmware_impl(rctx):
    descriptions = _descriptions(rctx)
    write_toolchains(rctx, "uefi", lambda row: _uefi(rctx, descriptions, row), package = "uefi")
    write_toolchains(rctx, "uboot", lambda row: _uboot(rctx, row), package = "uboot")
    write_toolchains(rctx, "swtpm", lambda _row: _swtpm(rctx), package = "swtpm")
    rctx.file("BUILD.bazel", "")

host_firmware = repository_rule(
    implementation = _host_firmware_impl,
    configure = True,
    doc = """Finds UEFI firmware by the descriptions that distributions install for QEMU, U-Boot in Debian's package
u-boot-qemu, and swtpm on PATH, and makes toolchains of them.""",
    environ = ["PATH"],
    local = True,
)
