#!/usr/bin/env bash
# Reads images of older formats with the tools that make them.
#
#   formats_test.sh SCRIPT INITRAMFS BOOT VENDOR_BOOT
set -euo pipefail
script=$1 initramfs=$2 boot=$3 vendor_boot=$4

# has LINE... reads standard input: each line must be in it.
has() {
  local text line
  text=$(cat)
  for line; do
    grep -q "$line" <<<"$text" || {
      echo "no line has: $line"
      echo "$text"
      return 1
    }
  done
}

mkimage -l "$script" | has "x86_64 Linux Script (uncompressed)"
mkimage -l "$initramfs" | has "Image Name: *A test" "x86_64 Linux RAMDisk Image (uncompressed)"
mkdir "$TEST_TMPDIR/boot" "$TEST_TMPDIR/vendor_boot"
unpack_bootimg --boot_img "$boot" --out "$TEST_TMPDIR/boot" |
  has "boot image header version: 4" "os version: 16.0.0" "os patch level: 2026-08" "command line args: quiet"
unpack_bootimg --boot_img "$vendor_boot" --out "$TEST_TMPDIR/vendor_boot" |
  has "vendor boot image header version: 4" "product name: board" "vendor ramdisk table size:" "modules"
ls "$TEST_TMPDIR/boot" "$TEST_TMPDIR/vendor_boot"
