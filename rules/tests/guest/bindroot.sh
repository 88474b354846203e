#!/bin/sh
# Switches to a directory that is bind-mounted on itself, while all mounts are shared.
mount -t proc proc /proc
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /mnt
mkdir -p /mnt/root/proc /mnt/root/dev /mnt/root/sbin
cp /arrived /mnt/root/sbin/init
mount -o bind /mnt/root /mnt/root
mount -o make-rshared /
exec /sbin/switch_root /mnt/root /sbin/init
