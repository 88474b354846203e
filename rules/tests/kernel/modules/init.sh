#!/bin/sh
mount -t proc proc /proc
echo "init: release $(uname -r)"
cat /proc/bootconfig
insmod /lib/modules/*/kernel/lib/test_module.ko
rmmod test_module
ls /lib/modules/*/modules.order && echo "init: all done"
reboot -f
