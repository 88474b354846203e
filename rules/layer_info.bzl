"""Constructors of layers, for rules of other modules that return InitramfsLayerInfo."""

load(
    "//rules/private:entries.bzl",
    _archives_entry = "archives_entry",
    _binary_entry = "binary_entry",
    _device_node_entry = "device_node_entry",
    _dir_entry = "dir_entry",
    _file_entry = "file_entry",
    _hardlink_entry = "hardlink_entry",
    _metadata_entry = "metadata_entry",
    _pipe_entry = "pipe_entry",
    _replaces_entry = "replaces_entry",
    _socket_entry = "socket_entry",
    _symlink_entry = "symlink_entry",
    _tree_entry = "tree_entry",
)
load("//rules/private:file_metadata.bzl", _file_metadata = "file_metadata")
load("//rules/private:layer_info.bzl", _initramfs_layer_info = "initramfs_layer_info")
load("//rules/private:providers.bzl", _InitramfsLayerInfo = "InitramfsLayerInfo")
load("//rules/private:repo_mapping.bzl", _repo_mapping_aspect = "repo_mapping_aspect")

InitramfsLayerInfo = _InitramfsLayerInfo
archives_entry = _archives_entry
binary_entry = _binary_entry
device_node_entry = _device_node_entry
dir_entry = _dir_entry
file_entry = _file_entry
file_metadata = _file_metadata
hardlink_entry = _hardlink_entry
initramfs_layer_info = _initramfs_layer_info
metadata_entry = _metadata_entry
pipe_entry = _pipe_entry
replaces_entry = _replaces_entry
repo_mapping_aspect = _repo_mapping_aspect
socket_entry = _socket_entry
symlink_entry = _symlink_entry
tree_entry = _tree_entry
