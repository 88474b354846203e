#!/bin/sh
# Checks that the data file is where the script looks for it.
read -r line <rules/tests/guest_test/rules/data.txt
echo "$line, ${CUSTOM:-no variable}"
[ "$line" = data ]
