package runner

import (
	"fmt"
	"io"
	"os"
)

// align is what the kernel expects the start of an archive to be a multiple
// of, in bytes; it skips zeros between archives.
const align = 4

// joinInitramfs writes the named files one after the other to a new file in
// dir, for QEMU's -initrd takes one, and returns its name.
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
	var size int64
	for _, name := range names {
		padding := make([]byte, (align-size%align)%align)
		if _, err := out.Write(padding); err != nil {
			return "", err
		}
		n, err := appendFile(out, name)
		if err != nil {
			return "", fmt.Errorf("joining the initramfs: %w", err)
		}
		size += int64(len(padding)) + n
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
