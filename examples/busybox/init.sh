#!/bin/sh
# Looks, from the inside, at what the list promised, and says so on the console.
check() {
  if [ "$2" = "$3" ]; then
    echo "PASS: $1 is $2"
  else
    echo "FAIL: $1 is $2, want $3"
    failed=yes
  fi
}

stat() { /bin/busybox stat "$@"; }

check "/bin, mode and owner," "$(stat -c '%a %u:%g' /bin)" "755 1000:1000"
check "/dev/loop0, type, mode and numbers," "$(stat -c '%F %a %t:%T' /dev/loop0)" "block special file 644 7:0"
check "/dev/console, type, mode and numbers," "$(stat -c '%F %a %t:%T' /dev/console)" "character special file 644 5:1"
check "/bin/sh, type and target," "$(stat -c %F /bin/sh) $(/bin/busybox readlink /bin/sh)" "symbolic link busybox"
check "/init, mode and owner," "$(stat -c '%a %u:%g' /init)" "755 0:0"
check "the number of entries in /" "$(/bin/busybox ls -A / | /bin/busybox grep -vx root | /bin/busybox wc -l)" "6"

[ -n "$failed" ] || echo "busybox: all checks passed"
/bin/busybox poweroff -f
