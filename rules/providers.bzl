"""The providers of rules_initramfs."""

load(
    "//rules/private:providers.bzl",
    _InitramfsInfo = "InitramfsInfo",
    _InitramfsLayerInfo = "InitramfsLayerInfo",
    _KernelInfo = "KernelInfo",
    _KernelModuleInfo = "KernelModuleInfo",
    _MeasurementsInfo = "MeasurementsInfo",
    _PayloadInfo = "PayloadInfo",
    _UefiVariablesInfo = "UefiVariablesInfo",
)

InitramfsInfo = _InitramfsInfo
InitramfsLayerInfo = _InitramfsLayerInfo
KernelInfo = _KernelInfo
KernelModuleInfo = _KernelModuleInfo
MeasurementsInfo = _MeasurementsInfo
PayloadInfo = _PayloadInfo
UefiVariablesInfo = _UefiVariablesInfo
