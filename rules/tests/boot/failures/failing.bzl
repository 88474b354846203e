"""Boots that fail, and a test that runs them."""

load("@rules_go//go:def.bzl", "go_test")
load("//rules:defs.bzl", "boot_test")

# What a kernel reports if its machine gets no time to run.
_ON_A_BUSY_MACHINE = ["lockup", "rcu-stall"]

def failing_boots_test(name, platform, boots, **kwargs):
    """Runs boots that fail, and checks what the runner says of each.

    Args:
        name: the test's name.
        platform: the guests' platform.
        boots: dict of a boot's name, which is that of a case in failures_test.go, to its attributes.
        **kwargs: more attributes of go_test.
    """
    targets = {boot: ":%s_%s" % (name, boot) for boot in boots}
    for boot, attributes in boots.items():
        boot_test(
            name = targets[boot][1:],
            platform = platform,
            tags = ["manual"],
            **({"kernel": "//examples:kernel", "time_limit": 1800} | attributes | {
                "allow_failures": attributes.get("allow_failures", []) + _ON_A_BUSY_MACHINE,
            })
        )
    go_test(
        name = name,
        srcs = ["failures_test.go"],
        data = targets.values(),
        env = {"BOOT_" + boot.upper(): "$(rlocationpath %s)" % target for boot, target in targets.items()},
        deps = ["//rules/tests/boot/boots"],
        **kwargs
    )
