package runner

import (
	"fmt"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/image"
)

// joinInitramfs writes the named files one after the other to a new file in dir, because
// QEMU's -initrd takes one, and returns its name.
func joinInitramfs(dir string, names []string) (joined string, err error) {
	out, err := os.CreateTemp(dir, "initramfs-*")
	if err != nil {
		return "", err
	}
	defer func() {
		if closeErr := out.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			os.Remove(out.Name())
		}
	}()
	j := image.NewJoiner(out)
	for _, name := range names {
		if err := j.Align(image.Align); err != nil {
			return "", err
		}
		if _, err := appendFile(j, name); err != nil {
			return "", fmt.Errorf("joining the initramfs: %w", err)
		}
	}
	return out.Name(), nil
}

func appendFile(out io.Writer, name string) (int64, error) {
	in, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	return io.Copy(out, in)
}
