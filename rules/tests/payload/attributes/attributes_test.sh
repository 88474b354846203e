#!/usr/bin/env bash
# Looks for what the attributes ask for in an EFI executable, a disk, a store of variables, and a FIT image.
#
#   attributes_test.sh EFI DISK VARIABLES FIT
set -euo pipefail
efi=$1 disk=$2 variables=$3 fit=$4

# has WHAT LINE... reads standard input: each pattern must match a line of it.
has() {
  local what=$1 text line
  shift
  text=$(cat)
  for line; do
    grep -q -- "$line" <<<"$text" || {
      echo "$what: no line matches: $line"
      echo "$text"
      return 1
    }
  done
}

objdump --section-headers "$efi" | has sections ' \.osrel ' ' \.cmdline ' ' \.dtb ' ' \.dtbauto ' ' \.hwids ' ' \.uname ' ' \.ucode ' \
  ' \.initrd ' ' \.linux ' ' \.sbat ' ' \.pcrpkey ' ' \.pcrsig '
for section in .uname=7.2.0-test .cmdline='quiet root=/dev/vda' .sbat=product,7, .pcrsig=sha256; do
  objcopy --dump-section "${section%%=*}=$TEST_TMPDIR/section" "$efi" "$TEST_TMPDIR/copy"
  has "$section" "${section#*=}" <"$TEST_TMPDIR/section"
done
sbverify --list "$efi" | has signature 'image signature issuers' 'CN *= *'

[[ $(stat --dereference --format=%s "$disk") == 67108864 ]]
mdir -/ -i "$disk@@1M" | has disk 'PRODUCT' 'BOOTX64 *EFI' 'LOADER~1 *CON\|loader\.conf\|LOADER *CON'

virt-fw-vars --input "$variables" --print 2>&1 | has variables '^PK ' '^KEK ' '^db ' '^dbx '

dumpimage -l "$fit" | has FIT 'A product' 'Default Configuration: *.board.' 'Load Address: *0x80200000' 'Entry Point: *0x80200040' \
  'Load Address: *0x88000000' 'Hash algo: *crc32' 'Hash algo: *sha512' 'Compression: *gzip'
fdtget "$fit" /configurations/board compatible | has FIT 'test,other'
fdtget "$fit" /images/kernel data-size | has FIT '^[0-9]'
