package switchroot

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"

	"github.com/rules-initramfs/rules_initramfs/internal/init/console"
)

// along are the places whose mounts go along to the new root.
var along = []string{"dev", "proc", "sys", "run"}

// Switch does what r asks for, and becomes r's program. It returns only when
// that is not possible, or r is a dry run: before the new root is in place
// nothing has been changed, but what r drops from the kernel's helpers. What
// does not keep the new root from being used it says on warnings.
func Switch(r Request, warnings io.Writer) error {
	if err := r.Check(); err != nil || r.DryRun {
		return err
	}
	// Capabilities are a thread's, and so is the execution of a program.
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
	if err := enter(r.NewRoot, warnings); err != nil {
		return err
	}
	if err := empty(old); err != nil {
		fmt.Fprintln(warnings, "switch_root: the old root:", err)
	}
	if err := console.Open(r.Console); err != nil {
		fmt.Fprintf(warnings, "switch_root: %v: the old root's console is kept\n", err)
	}
	if err := dropFromThread(r.Drop); err != nil {
		return err
	}
	err = syscall.Exec(r.Init, append([]string{r.Init}, r.Args...), r.Env)
	return fmt.Errorf("cannot run %s in the new root: %v", r.Init, err)
}

// enter makes newRoot the root of this process, with the mounts that go along.
// The old root is below it, and has still all that was in it.
func enter(newRoot string, warnings io.Writer) error {
	if err := syscall.Chdir(newRoot); err != nil {
		return fmt.Errorf("cannot enter %s: %v", newRoot, err)
	}
	if err := syscall.Mount(".", "/", "", syscall.MS_MOVE, ""); err != nil {
		syscall.Chdir("/")
		return fmt.Errorf("cannot move %s over /: %v", newRoot, err)
	}
	// Until chroot absolute paths are still those of the old root.
	for _, name := range along {
		if err := moveAlong(name); err != nil {
			fmt.Fprintf(warnings, "switch_root: %v\n", err)
		}
	}
	if err := syscall.Chroot("."); err != nil {
		return fmt.Errorf("cannot change the root: %v", err)
	}
	return syscall.Chdir("/")
}

// moveAlong moves what is mounted on /name to name in the working directory, or
// unmounts it where that is no directory: nobody could ever reach it again.
func moveAlong(name string) error {
	mounted, err := isPoint("/" + name)
	if err != nil || !mounted {
		return err
	}
	if info, err := os.Lstat(name); err != nil || !info.IsDir() {
		if err := syscall.Unmount("/"+name, syscall.MNT_DETACH); err != nil {
			return fmt.Errorf("cannot unmount /%s: %v", name, err)
		}
		return nil
	}
	if err := syscall.Mount("/"+name, name, "", syscall.MS_MOVE, ""); err != nil {
		return fmt.Errorf("cannot move /%s to the new root: %v", name, err)
	}
	return nil
}

// isPoint reports whether something is mounted on a directory of /.
func isPoint(name string) (bool, error) {
	var own, root syscall.Stat_t
	if err := syscall.Lstat(name, &own); errors.Is(err, syscall.ENOENT) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("%s: %v", name, err)
	}
	if err := syscall.Lstat("/", &root); err != nil {
		return false, fmt.Errorf("/: %v", err)
	}
	return own.Dev != root.Dev, nil
}
