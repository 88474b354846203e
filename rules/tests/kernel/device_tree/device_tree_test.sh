#!/bin/sh
# Compares a device tree with the one of a package, and applies an overlay to a board's.
#
#   device_tree_test.sh RASPBERRY_PI BOARD OVERLAY PACKAGE...
set -eu

raspberry_pi=$1 board=$2 overlay=$3
shift 3
for package; do
  # Only one of the packages has device trees.
  dpkg-deb --fsys-tarfile "$package" |
    tar --extract --to-stdout --wildcards '*/dtb/broadcom/bcm2711-rpi-4-b.dtb' >>"$TEST_TMPDIR/expected.dtb" 2>/dev/null || true
done
cmp "$raspberry_pi" "$TEST_TMPDIR/expected.dtb"

fdtoverlay -i "$board" -o "$TEST_TMPDIR/applied.dtb" "$overlay"
dtc --quiet -I dtb -O dts "$TEST_TMPDIR/applied.dtb" >"$TEST_TMPDIR/applied.dts"
for line in 'model = "A board";' 'compatible = "ti,tmp102";' 'gpios = <0x[0-9a-f]* 0x04 0x01>;'; do
  grep -q "$line" "$TEST_TMPDIR/applied.dts" || {
    echo "no line has: $line"
    exit 1
  }
done
