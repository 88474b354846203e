"""Kernels."""

load("//rules/private:kernel_import.bzl", _kernel_import = "kernel_import")

kernel_import = _kernel_import
