"""rules_pkg targets as layers. Only who loads this file fetches rules_pkg."""

load("//rules/private:pkg.bzl", _pkg_layer = "pkg_layer")

pkg_layer = _pkg_layer
