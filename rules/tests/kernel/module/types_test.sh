#!/usr/bin/env bash
# Checks that the modules of the first directory have type information, and those of the second have none.
#
#   types_test.sh TYPED UNTYPED
set -euo pipefail
cd "$RUNFILES_DIR"

# typed DIRECTORY: whether its module has a section with types.
typed() {
  local sections
  sections=$(readelf --section-headers --wide "$1"/*.ko)
  [[ "$sections" == *" .BTF "* ]]
}

typed "$1" || {
  echo "$1: no .BTF"
  exit 1
}
! typed "$2" || {
  echo "$2: .BTF, which was not asked for"
  exit 1
}
