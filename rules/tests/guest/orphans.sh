#!/bin/sh
# Leaves orphans: children of shells that have ended.
for i in 1 2 3 4 5; do
  sh -c 'sleep 0.1 & sleep 0.2 & exit 0'
done
sleep 1
# A zombie's line is its number, its name in brackets, and Z.
zombies=$(cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') Z ')
sleep 1000 &
echo "orphans: $zombies zombies"
