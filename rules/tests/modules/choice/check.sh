#!/bin/sh
# Checks the lines of a file: +REGEX must match one, -REGEX must match none.
#
#   check.sh FILE {+|-}REGEX...
set -eu

file=$1
shift
for check; do
  case "$check" in
    +*) grep -Eq -e "${check#+}" "$file" && continue ;;
    -*) grep -Eq -e "${check#-}" "$file" || continue ;;
  esac
  echo "$check fails in:"
  cat "$file"
  exit 1
done
[ $# -gt 0 ]
