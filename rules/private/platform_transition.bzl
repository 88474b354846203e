"""The attribute platform: builds a target and its dependencies for another platform."""

PLATFORM_ATTRS = {
    "platform": attr.label(
        doc = "The platform to build for, such as `//:linux_arm64`. By default the one of the command line.",
    ),
}

def _platform_transition_impl(settings, attr):
    key = "//command_line_option:platforms"
    return {key: [attr.platform] if attr.platform else settings[key]}

platform_transition = transition(
    implementation = _platform_transition_impl,
    inputs = ["//command_line_option:platforms"],
    outputs = ["//command_line_option:platforms"],
)
