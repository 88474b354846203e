package switchroot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/rules-initramfs/rules_initramfs/internal/init/system"
)

// movedMounts are the directories whose mounts move to the new root.
var movedMounts = []string{"dev", "proc", "sys", "run"}

// Switch switches to r's root and becomes r's program. It returns only if r is a dry
// run or if something fails. Until the new root is in place it changes nothing,
// except the capabilities of programs that the kernel starts. It writes problems
// that do not keep the new root from being used to warnings.
func Switch(r Request, warnings io.Writer) error {
	if err := r.Check(); err != nil || r.DryRun {
		return err
	}
	// Capabilities belong to a thread, which must be the one that executes the program.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	if len(r.Drop) > 0 {
		if err := dropFromHelpers("", r.Drop); err != nil {
			return err
		}
	}
	old, err := os.OpenRoot("/")
	if err != nil {
		return err
	}
	defer old.Close()
	if err := enterRoot(r.NewRoot, warnings); err != nil {
		return err
	}
	if err := removeAll(old); err != nil {
		fmt.Fprintln(warnings, "switch_root: cannot empty the old root:", err)
	}
	if err := system.OpenConsole(r.Console); err != nil {
		fmt.Fprintf(warnings, "switch_root: %v: keeping the console of the old root\n", err)
	}
	if err := dropFromThread(r.Drop); err != nil {
		return err
	}
	err = unix.Exec(r.Init, append([]string{r.Init}, r.Args...), r.Env)
	return fmt.Errorf("cannot run %s in the new root: %v", r.Init, err)
}

// enterRoot makes newRoot the root of this process, and moves the mounts there. It
// deletes nothing from the old root.
func enterRoot(newRoot string, warnings io.Writer) error {
	// The kernel moves no mount whose parent is shared (do_move_mount of fs/namespace.c).
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot make the mounts private: %v", err)
	}
	if err := unix.Chdir(newRoot); err != nil {
		return fmt.Errorf("cannot enter %s: %v", newRoot, err)
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		unix.Chdir("/")
		return fmt.Errorf("cannot move %s over /: %v", newRoot, err)
	}
	// Until chroot, absolute paths are those of the old root.
	for _, name := range movedMounts {
		if err := moveMount(name); err != nil {
			fmt.Fprintf(warnings, "switch_root: %v\n", err)
		}
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("cannot change the root: %v", err)
	}
	return unix.Chdir("/")
}

// moveMount moves the file system mounted on /name to name in the working directory.
// If that is not a directory it unmounts the file system, which no path would lead
// to.
func moveMount(name string) error {
	mounted, err := isRootMount("/" + name)
	if err != nil || !mounted {
		return err
	}
	if info, err := os.Lstat(name); err != nil || !info.IsDir() {
		if err := unix.Unmount("/"+name, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("cannot unmount /%s: %v", name, err)
		}
		return nil
	}
	if err := unix.Mount("/"+name, name, "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("cannot move /%s to the new root: %v", name, err)
	}
	return nil
}

// isRootMount reports whether something is mounted on a directory of /.
func isRootMount(name string) (bool, error) {
	info, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return system.IsMountPoint(name)
}
