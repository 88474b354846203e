"""A payload that somebody has changed."""

load("//rules:defs.bzl", "PayloadInfo")

# buildifier: disable=bzl-visibility
load("//rules/private:platform_transition.bzl", "PLATFORM_ATTRS", "platform_transition")

def _altered_impl(ctx):
    payload = ctx.attr.payload[PayloadInfo]
    image = ctx.actions.declare_file("%s.%s" % (ctx.label.name, payload.image.extension))

    # The end of a payload has its initramfs.
    ctx.actions.run_shell(
        arguments = [payload.image.path, image.path],
        command = """set -eu
            cp "$1" "$2"
            chmod u+w "$2"
            at=$(($(stat --dereference --format=%s "$1") - 100000))
            byte=$(od -An -tu1 -j"$at" -N1 "$1")
            printf "$(printf '\\\\%03o' $((byte ^ 1)))" | dd of="$2" bs=1 seek="$at" conv=notrunc status=none
            ! cmp -s "$1" "$2"
        """,
        inputs = [payload.image],
        mnemonic = "Alter",
        outputs = [image],
    )
    return [
        DefaultInfo(files = depset([image])),
        PayloadInfo(
            arch = payload.arch,
            contents = payload.contents,
            device_trees = payload.device_trees,
            format = payload.format,
            image = image,
            key_name = payload.key_name,
        ),
    ]

altered = rule(
    implementation = _altered_impl,
    attrs = PLATFORM_ATTRS | {
        "payload": attr.label(
            doc = "The payload.",
            mandatory = True,
            providers = [PayloadInfo],
        ),
    },
    cfg = platform_transition,
    doc = "A payload with another bit in its initramfs.",
    provides = [PayloadInfo],
)
