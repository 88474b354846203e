#!/bin/sh
mount -t proc none /proc
echo "tmp is $(stat -c %a /tmp)"
cat /proc/version
echo ready
poweroff -f
