#!/usr/bin/env bash
# Checks that the measurements of two payloads differ in the PCRs that a file of the initramfs moves, and that the
# explanation names the file and its target.
#
#   explanation_test.sh PACKER BEFORE AFTER
set -euo pipefail
packer=$1 before=$2 after=$3

"$packer" measure-check --golden "$before" --measured "$before"

text=$("$packer" measure-check --golden "$before" --measured "$after" --update "bazel run //:update") && status=0 || status=$?
echo "$text"
((status == 1))
[[ "$text" == *"/etc/motd"*"//rules/tests/payload:"*"bazel run //:update"* ]]

# pcrs FILE: the predicted values, a line each.
pcrs() { sed -n '/"pcrs"/,/^  }/s/^ *"\([0-9]*\)": "\([0-9a-f]*\)".*/\1 \2/p' "$1"; }
moved=$({ diff <(pcrs "$before") <(pcrs "$after") || true; } | sed -n 's/^> \([0-9]*\) .*/\1/p' | sort -n | tr '\n' ' ')
echo "moved: $moved"
[[ "$moved" == "4 9 11 " ]]
