"""Tests of entry(), which fails while a BUILD file is read: its messages, and what it gives."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")
load("//rules:defs.bzl", "entry")

# buildifier: disable=bzl-visibility
load("//rules/private:metadata.bzl", "entry_fault")

def _gives_test_impl(ctx):
    env = unittest.begin(ctx)
    asserts.equals(env, "mode=1777", entry(mode = "1777"))
    asserts.equals(env, "mode=0 uid=0 gid=4294967295 mtime=1", entry(mode = "0", uid = 0, gid = 4294967295, mtime = 1))
    return unittest.end(env)

_gives_test = unittest.make(_gives_test_impl)

def _faults_test_impl(ctx):
    env = unittest.begin(ctx)
    mode = "want a string of octal digits up to \"7777\", such as \"0755\""
    number = "want a number from 0 to 4294967295"
    for fields, want in [
        ({"mode": "7777", "uid": 0}, None),
        ({}, "entry() says nothing: give it a mode, a uid, a gid or an mtime"),
        ({"mode": 493}, "entry(mode = 493): " + mode),
        ({"mode": "10000"}, "entry(mode = \"10000\"): " + mode),
        ({"mode": "0o755"}, "entry(mode = \"0o755\"): " + mode),
        ({"mode": "0788"}, "entry(mode = \"0788\"): " + mode),
        ({"mode": ""}, "entry(mode = \"\"): " + mode),
        ({"uid": "root"}, "entry(uid = \"root\"): " + number),
        ({"uid": -1}, "entry(uid = -1): " + number),
        ({"gid": 4294967296}, "entry(gid = 4294967296): " + number),
        ({"mode": "0644", "mtime": -1}, "entry(mtime = -1): " + number),
        ({"mtime": True}, "entry(mtime = True): " + number),
    ]:
        asserts.equals(env, want, entry_fault(fields))
    return unittest.end(env)

_faults_test = unittest.make(_faults_test_impl)

def metadata_test_suite(name):
    """The tests of entry().

    Args:
        name: the suite's name.
    """
    unittest.suite(name, _gives_test, _faults_test)
