"""What a TPM will hold when a payload has started."""

load(":pack.bzl", "run_packer")
load(":paths.bzl", "label_text")
load(":platform_transition.bzl", "PLATFORM_ATTRS", "platform_transition")
load(":providers.bzl", "MeasurementsInfo", "PayloadInfo")
load(":toolchains.bzl", "PACKER_TOOLCHAIN_TYPE")

def _measurements_impl(ctx):
    origin = label_text(ctx.label)
    payload = ctx.attr.payload[PayloadInfo]
    if payload.format != "efi":
        fail("%s: payload: %s is not an EFI executable: U-Boot measures a FIT image as it is configured to, which is not predicted" % (
            origin,
            label_text(ctx.attr.payload.label),
        ))
    report = ctx.actions.declare_file(ctx.label.name + ".json")
    args = ctx.actions.args()
    args.add("--origin", origin)
    args.add_all(ctx.attr.banks, before_each = "--bank")
    args.add_all(ctx.attr.phases, before_each = "--phase")
    if ctx.attr.profile >= 0:
        args.add("--profile", ctx.attr.profile)
    args.add_all([] if ctx.attr.profile > 0 else payload.contents, before_each = "--contents")
    inputs = [payload.image] + payload.contents
    if ctx.file.disk:
        args.add("--disk", ctx.file.disk)
        inputs.append(ctx.file.disk)
    args.add("--out", report)
    args.add(payload.image)
    run_packer(ctx, "EfiMeasure", "Predicting measurements", "measure", [report], inputs, [args])
    return [
        DefaultInfo(files = depset([report])),
        MeasurementsInfo(report = report),
    ]

measurements = rule(
    implementation = _measurements_impl,
    attrs = PLATFORM_ATTRS | {
        "banks": attr.string_list(
            default = ["sha256"],
            doc = """The banks of the TPM: "sha1", "sha256", "sha384" or "sha512".""",
        ),
        "disk": attr.label(
            allow_single_file = True,
            doc = "The disk that the payload is on, such as an `efi_disk`: its partition table is in PCR 5.",
        ),
        "payload": attr.label(
            doc = "The payload: a `uki` or an `efi_image`. A signature changes nothing.",
            mandatory = True,
            providers = [PayloadInfo],
        ),
        "profile": attr.int(
            default = -1,
            doc = """The number of the profile that starts, from 0, in the order of `profiles` of the `uki`. By default the first.
Targets of files are named for the first only.""",
        ),
        "phases": attr.string_list(
            doc = """The phases of the boot after which PCR 11 is predicted, as systemd extends it, joined with colons:
`["enter-initrd", "enter-initrd:leave-initrd"]`. By default up to each of enter-initrd, leave-initrd, sysinit and ready.""",
        ),
    },
    cfg = platform_transition,
    doc = """What the PCRs of a TPM will hold when UEFI firmware has started a payload and the kernel starts /init: JSON, with the
values, the events that make them, and the digests of what is in the payload.

Example:

    measurements(
        name = "product_measurements",
        payload = ":product",
    )

    measurements_test(
        name = "product_measurements_test",
        golden = "product.measurements.json",
        measurements = ":product_measurements",
    )

PCR 4 has the payload, PCR 9 the initramfs and the command line, PCR 11 the sections of a unified kernel image, PCR 12 what is
added at boot, and PCR 13 system extensions. The others depend on the firmware and its settings; the output says so. The output is
NAME.json.
""",
    provides = [MeasurementsInfo],
    toolchains = [PACKER_TOOLCHAIN_TYPE],
)
