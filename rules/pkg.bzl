"""Layers from the mapping rules of rules_pkg, which only this file loads."""

load("//rules/private:pkg.bzl", _pkg_layer = "pkg_layer")

pkg_layer = _pkg_layer
