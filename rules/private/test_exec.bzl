"""Where tests run.

The execution group `test` of a test rule says which execution platform runs the test. Without a declaration, Bazel 9 looks
for a platform with all constraints of the target platform. That is wrong for the tests of these rules: the machine that
boots or reads an image for arm64 need not be one.
"""

# The configuration of programs that run as part of a test.
TEST_EXEC_CFG = config.exec("test")

def test_exec_groups(toolchains = []):
    """Declares the execution group of a test rule.

    Args:
        toolchains: list of toolchain types. The test runs on a platform that has all of them.

    Returns:
        The value of `exec_groups` of rule().
    """
    return {"test": exec_group(toolchains = toolchains)}
