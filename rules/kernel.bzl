"""Kernels."""

load("//rules/private:device_tree.bzl", _device_tree = "device_tree")
load("//rules/private:kernel_build.bzl", _kernel_build = "kernel_build")
load("//rules/private:kernel_image.bzl", _kernel_image = "kernel_image")
load("//rules/private:kernel_import.bzl", _kernel_import = "kernel_import")
load("//rules/private:kernel_module.bzl", _kernel_module = "kernel_module")
load("//rules/private:kernel_modules.bzl", _kernel_modules = "kernel_modules")

device_tree = _device_tree
kernel_build = _kernel_build
kernel_image = _kernel_image
kernel_import = _kernel_import
kernel_module = _kernel_module
kernel_modules = _kernel_modules
