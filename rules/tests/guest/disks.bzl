"""Disks with a root file system, made with Debian's tools: the same bytes each time."""

UUID = "6a1c2f0e-5b3d-4e7f-8a90-0123456789ab"
LABEL = "guestroot"

_TAR = """
root=$$(mktemp -d)
mkdir -p $$root/dev $$root/proc $$root/sys $$root/run $$root/sbin
cp $< $$root/sbin/init
chmod -R u=rwX,go=rX $$root
tar --create --file=$@ --directory=$$root --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner .
rm -r $$root
"""

# The commands that make a disk from a tar archive, by file system.
_MAKE = {
    "erofs": "mkfs.erofs --quiet -T0 -U %s -L %s --tar=f $@ $<" % (UUID, LABEL),
    "ext4": (
        "truncate --size=16M $@ && SOURCE_DATE_EPOCH=0 /usr/sbin/mkfs.ext4 -q -U %s -L %s -E hash_seed=%s -d $< $@" %
        (UUID, LABEL, UUID)
    ),
    "squashfs": "mksquashfs - $@ -tar -noappend -mkfs-time 0 -all-time 0 -no-xattrs -processors 1 -quiet -no-progress <$<",
}

def disks(name, init, visibility = None):
    """A disk for each file system, NAME_erofs, NAME_ext4 and NAME_squashfs.

    Args:
        name: what the disks' names begin with.
        init: the program that is /sbin/init there.
        visibility: the disks' visibility.
    """
    native.genrule(
        name = name + "_tar",
        srcs = [init],
        outs = [name + ".tar"],
        cmd = _TAR,
    )
    for kind, cmd in _MAKE.items():
        native.genrule(
            name = "%s_%s" % (name, kind),
            srcs = [":%s_tar" % name],
            outs = ["%s.%s" % (name, kind)],
            cmd = cmd,
            visibility = visibility,
        )
