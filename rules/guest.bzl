"""The init of guests, and tests that run in guests."""

load("//rules/private:guest_init.bzl", _guest_init = "guest_init")
load("//rules/private:guest_test.bzl", _guest_test = "guest_test")

guest_init = _guest_init
guest_test = _guest_test
