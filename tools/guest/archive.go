package main

import (
	"encoding/json"
	"errors"
	"os"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/guest"
)

// writeArchive writes an archive with one file, which tells the agent what to run. The
// kernel unpacks it after the image.
func writeArchive(name string, r guest.Run) (err error) {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	const regular = 0o100000
	w := cpio.NewWriter(file)
	if err := w.WriteHeader(&cpio.Header{Name: strings.TrimPrefix(guest.RunFile, "/"), Mode: regular | 0o644, NLink: 1, Size: int64(len(text))}); err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	return w.Close()
}
