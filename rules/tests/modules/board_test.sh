#!/bin/sh
# Checks the listing of an image with one module, whose release is that of a package.
set -eu

expect() {
  grep -Eq "$1" "$listing" || {
    echo "no line matches $1:"
    cat "$listing"
    exit 1
  }
}

listing=$1
expect ' lib/firmware/daqboard2000_firmware.bin -> real.bin$'
expect '^-rw-r--r-- .* 9 .* lib/firmware/real.bin$'
expect '^-rw-r--r-- .* lib/modules/[^/]*/kernel/.*/daqboard2000.ko$'
expect '^-rw-r--r-- .* lib/modules/[^/]*/kernel/.*/comedi.ko$'
for index in dep dep.bin alias alias.bin symbols symbols.bin softdep devname order builtin builtin.bin; do
  expect "^-rw-r--r-- .* lib/modules/[^/]*/modules.$index\$"
done
if grep -E 'other.bin|WHENCE|[.]xz$' "$listing"; then
  echo "the image has more than what the module needs"
  exit 1
fi
