#!/usr/bin/env bash
# Makes an image with dracut and one with the packer, from the same kernel and for the same machine,
# boots both to the same root file systems, and compares what they load. It prints a table.
# DISKS lists the disks: pairs of a file system and a bus (ext4, erofs, btrfs; virtio, nvme).
set -euo pipefail

packer=$(realpath "$1") init=$(realpath "$2") root=$(realpath "$3") kernel=$(realpath "$4")
shift 4
packages=()
for package in "$@"; do packages+=("$(realpath "$package")"); done
disks=${DISKS:-ext4:virtio erofs:nvme}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export TMPDIR=$work # of QEMU, for what guests write to disks

fail() {
  echo "FAIL: $*" >&2
  exit 1
}

# The modules, with the indexes that dracut reads.
"$packer" pack --compress none --out modules.cpio "${packages[@]}"
"$packer" extract --skip-special modules.cpio modules
release=$(ls modules/usr/lib/modules)
tree=$PWD/modules/usr/lib/modules/$release
"$packer" depmod "$tree"

mkdir -p disk/{dev,etc,proc,run,sbin,sys,usr}
cp "$root" disk/sbin/init
touch disk/etc/os-release # systemd does not switch to a root without it
for kind in $(tr ' ' '\n' <<<"$disks" | cut -d: -f1 | sort -u); do
  case $kind in
    ext4) truncate --size=16M disk.ext4 && /usr/sbin/mkfs.ext4 -q -L guestroot -d disk disk.ext4 ;;
    erofs) mkfs.erofs --quiet -L guestroot disk.erofs disk && truncate --size=%1M disk.erofs ;;
    btrfs) truncate --size=128M disk.btrfs && mkfs.btrfs -q -L guestroot --rootdir disk disk.btrfs ;;
    *) fail "DISKS: $kind: want ext4, erofs or btrfs" ;;
  esac
done

# boot NAME DISK: boots the image NAME.cpio to a disk. Its console is the file NAME.DISK.log, and
# NAME.DISK.mounted, .loaded and .opened are what the root file system's init has told. opened has
# files of the image only.
boot() {
  local disk=disk.${2%:*} device=nvme,drive=disk,serial=disk log=$1.$2.log start=$EPOCHREALTIME
  [[ "$2" != *:virtio ]] || device=virtio-blk-pci,drive=disk
  timeout 1500 qemu-system-x86_64 -no-user-config -nodefaults -machine q35 -cpu max -accel tcg -m 1024 \
    -nic none -display none -no-reboot -serial stdio -monitor none \
    -drive if=none,id=disk,format=raw,snapshot=on,file="$disk" -device $device -kernel "$kernel" -initrd "$1.cpio" \
    -append "console=ttyS0 panic=-1 no_timer_check=1 quiet ro root=LABEL=guestroot trace_event=syscalls:sys_enter_openat trace_buf_size=16M" \
    </dev/null | tr -d '\r' >"$log" || true
  if ! grep -q '^root: done' "$log" || grep '^root: error:' "$log"; then
    tail -40 "$log" >&2
    fail "$1.cpio did not boot to $2"
  fi
  for word in mounted module modalias opened; do
    sed -n "s/^root: $word //p" "$log" | sort -u >"$1.$2.$word"
  done
  in_image "$1" <"$1.$2.opened" | sort -u >"$1.$2.files"
  echo "$1, $2: $(cat "$1.$2.mounted"), $(awk "BEGIN {printf \"%.1f\", $EPOCHREALTIME - $start}") s, $(wc -l <"$1.$2.module") modules loaded, $(wc -l <"$1.$2.files") files of the image opened"
}

# in_image NAME: of the paths on standard input, those that are in the image NAME.cpio. The kernel cuts
# long ones and ends them with three dots.
in_image() {
  sed -E 's,^/(bin|lib|lib64|sbin)/,/usr/\1/,' |
    awk 'NR == FNR { paths["/" $0]; next }
      /\.\.\.$/ { start = substr($0, 1, length($0) - 3); for (path in paths) if (index(path, start) == 1) { print path; break }; next }
      $0 in paths' "$1.names" -
}

# describe NAME: prints what the image NAME.cpio has.
describe() {
  "$packer" ls --names "$1.cpio" >"$1.names"
  zstd -q -9 -f "$1.cpio" -o "$1.zst"
  echo "$1: $(wc -l <"$1.names") entries, $(grep -c '\.ko' "$1.names") modules, $(stat -c %s "$1.cpio") bytes, $(stat -c %s "$1.zst") with zstd -9"
}

start=$SECONDS
dracut --quiet --force --no-hostonly --tmpdir "$work" --no-compress --kmoddir "$tree" --kver "$release" dracut.cpio 2>dracut.log ||
  fail "dracut: $(cat dracut.log)"
echo "dracut took $((SECONDS - start)) s"
describe dracut
for disk in $disks; do boot dracut "$disk"; done

# The devices of the machine, as the page "From dracut" lists them.
cat dracut.*.modalias | sort -u >machine.modaliases
"$packer" modules --kernel modules --devices machine.modaliases --want fs-ext4 --want fs-erofs --want fs-btrfs \
  --missing-firmware warning --prefix usr/lib --output layer --archive layer.cpio
printf 'autoload "true"\non_exit "poweroff"\n' >init.conf
cat >init.list <<EOF
nod /dev/console 0600 0 0 c 5 1
nod /dev/null 0666 0 0 c 1 3
file /init $init 0755 0 0
file /etc/init.conf init.conf 0644 0 0
slink /lib usr/lib 0777 0 0
EOF
"$packer" pack --parents --out ours.cpio init.list layer.cpio
describe ours
sed -n 's,.*/\([^/]*\)\.ko.*,\1,p' ours.names | tr - _ | sort >ours.modules
for disk in $disks; do
  boot ours "$disk"
  cmp "dracut.$disk.mounted" "ours.$disk.mounted" || fail "the images boot to different roots"
  grep -q "^${disk%:*} from " "ours.$disk.mounted" || fail "the root of $disk is not the disk"
  echo "only dracut's boot loaded:" $(comm -23 "dracut.$disk.module" "ours.$disk.module")
  echo "only our boot loaded:" $(comm -13 "dracut.$disk.module" "ours.$disk.module")
  # systemd, which is in dracut's image, asks for autofs4.
  missing=$(comm -23 "dracut.$disk.module" ours.modules | grep -vx autofs4 || true)
  [[ -z "$missing" ]] || fail "the boot of dracut's image to $disk loaded modules that ours lacks:" $missing
done
