"""The providers of rules_initramfs."""

load(
    "//rules/private:providers.bzl",
    _InitramfsInfo = "InitramfsInfo",
    _InitramfsLayerInfo = "InitramfsLayerInfo",
    _KernelInfo = "KernelInfo",
    _KernelModuleInfo = "KernelModuleInfo",
)

InitramfsInfo = _InitramfsInfo
InitramfsLayerInfo = _InitramfsLayerInfo
KernelInfo = _KernelInfo
KernelModuleInfo = _KernelModuleInfo
