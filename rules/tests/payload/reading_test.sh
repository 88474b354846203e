#!/usr/bin/env bash
# Reads the initramfs in payloads and kernels, and compares it with the image that was put into them.
#
#   reading_test.sh PACKER IMAGE PAYLOAD... -- IMAGE KERNEL... -- KERNEL...
set -euo pipefail
packer=$1
shift
for _ in 1 2; do
  image=$1
  shift
  while [[ "$1" != -- ]]; do
    echo "$1"
    "$packer" diff "$image" "$1"
    shift
  done
  shift
done
for kernel; do
  names=$("$packer" ls "$kernel" | sed 's/.* //' | tr '\n' ' ')
  echo "$kernel: $names"
  [[ " $names" == *" /init "* || " $names" == *" init "* ]]
done
