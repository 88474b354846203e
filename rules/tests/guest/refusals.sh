#!/bin/sh
# Runs switch_root where it has to refuse, and looks whether something is missing.
count() { find / -xdev | wc -l; }
refuse() {
  want=$1
  shift
  if said=$(/sbin/switch_root "$@" 2>&1); then
    echo "refusals: FAIL: switch_root $*: no error"
  else
    case "$said" in
      *"$want"*) echo "refusals: refused: $said" ;;
      *) echo "refusals: FAIL: switch_root $*: $said" ;;
    esac
  fi
}
mkdir -p /mnt/root /mnt/other /mnt/noexec
mount -t tmpfs tmpfs /mnt/root
mkdir /mnt/root/bin /mnt/root/sub
cp /bin/busybox /mnt/root/bin/init
ln -s /bin/init /mnt/root/link
ln -s /bin/busybox-of-the-old-root /mnt/root/dangling
ln -s loop /mnt/root/loop
echo text >/mnt/root/text
: >/mnt/root/empty
printf '#!/bin/bash\n' >/mnt/root/script
printf '#!/bin/init sh\n' >/mnt/root/good
cp /mnt/root/text /mnt/root/words
cd /mnt/root && chmod 0755 empty script good words && cd /
mount -t tmpfs -o noexec tmpfs /mnt/noexec
cp /bin/busybox /mnt/noexec/init
before=$(count)
refuse 'only process 1' /mnt/root /bin/init
refuse 'mount it first' -n /mnt/none /bin/init
refuse 'is on the file system of /' -n /mnt/other /bin/init
refuse 'is not a mount point' -n /mnt/root/sub /bin/init
refuse 'the new root has no /bin/sh' -n /mnt/root /bin/sh
refuse 'the new root has no /bin/busybox-of-the-old-root' -n /mnt/root /dangling
refuse 'too many levels' -n /mnt/root /loop
refuse 'is not executable' -n /mnt/root /text
refuse '/empty is empty' -n /mnt/root /empty
refuse 'its interpreter /bin/bash: the new root has no /bin/bash' -n /mnt/root /script
refuse 'neither a program (ELF) nor a script' -n /mnt/root /words
refuse 'mounted with noexec' -n /mnt/noexec /init
refuse 'is not a file' -n /mnt/root /bin
refuse 'is not a capability' -n -d cap_none /mnt/root /bin/init
refuse 'want NEWROOT and INIT' -n /mnt/root
/sbin/switch_root -n /mnt/root /link && /sbin/switch_root -n /mnt/root /good && echo "refusals: the dry run is content"
after=$(count)
[ "$before" = "$after" ] && echo "refusals: all $after files are there" || echo "refusals: FAIL: $before files before, $after after"
