package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// compare returns the differences, if any.
func (e expectation) compare() []error {
	if e.kind == run {
		return e.compareRun()
	}
	var st syscall.Stat_t
	if err := syscall.Lstat(e.path, &st); err != nil {
		if e.kind == absent && err == syscall.ENOENT {
			return nil
		}
		return []error{err}
	}
	if kind := kindOf(&st); kind != e.kind {
		return []error{fmt.Errorf("it is: %s", kind)}
	}
	var differences []error
	for _, f := range e.fields {
		if err := f.compare(e.path, &st); err != nil {
			differences = append(differences, err)
		}
	}
	return differences
}

func (e expectation) compareRun() []error {
	output, err := exec.Command(e.path).CombinedOutput()
	if err != nil {
		return []error{fmt.Errorf("%w: %q", err, output)}
	}
	var differences []error
	for _, f := range e.fields {
		if string(output) != f.value {
			differences = append(differences, fmt.Errorf("it printed %q", output))
		}
	}
	return differences
}

func kindOf(st *syscall.Stat_t) string {
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		return "file"
	case syscall.S_IFDIR:
		return "dir"
	case syscall.S_IFLNK:
		return "slink"
	case syscall.S_IFIFO:
		return "pipe"
	case syscall.S_IFSOCK:
		return "sock"
	case syscall.S_IFBLK:
		return "b"
	}
	return "c"
}

func (f field) compare(path string, st *syscall.Stat_t) error {
	if f.key == "same" {
		var other syscall.Stat_t
		if err := syscall.Lstat(f.value, &other); err != nil {
			return &fs.PathError{Op: "lstat", Path: f.value, Err: err}
		}
		if other.Dev != st.Dev || other.Ino != st.Ino {
			return fmt.Errorf("%s is another file", f.value)
		}
		return nil
	}
	got, err := getters[f.key](path, st)
	if err != nil {
		return err
	}
	want := f.value
	if mode, err := strconv.ParseUint(want, 8, 32); f.key == "mode" && err == nil {
		want = formatMode(uint32(mode))
	}
	if got != want {
		return fmt.Errorf("%s=%.200q", f.key, got)
	}
	return nil
}

// A getter returns a property of a file in the form of a field's value.
type getter func(path string, st *syscall.Stat_t) (string, error)

var getters = map[string]getter{
	"gid":    func(_ string, st *syscall.Stat_t) (string, error) { return fmt.Sprint(st.Gid), nil },
	"mode":   func(_ string, st *syscall.Stat_t) (string, error) { return formatMode(st.Mode), nil },
	"mtime":  func(_ string, st *syscall.Stat_t) (string, error) { return fmt.Sprint(st.Mtim.Sec), nil },
	"names":  getNames,
	"nlink":  func(_ string, st *syscall.Stat_t) (string, error) { return fmt.Sprint(st.Nlink), nil },
	"rdev":   getDevice,
	"same":   func(string, *syscall.Stat_t) (string, error) { return "", errors.ErrUnsupported },
	"sha256": getDigest,
	"size":   func(_ string, st *syscall.Stat_t) (string, error) { return fmt.Sprint(st.Size), nil },
	"target": func(path string, _ *syscall.Stat_t) (string, error) { return os.Readlink(path) },
	"text":   getText,
	"uid":    func(_ string, st *syscall.Stat_t) (string, error) { return fmt.Sprint(st.Uid), nil },
}

func formatMode(mode uint32) string { return fmt.Sprintf("%04o", mode&0o7777) }

func getNames(path string, _ *syscall.Stat_t) (string, error) {
	names, err := os.ReadDir(path)
	return fmt.Sprint(len(names)), err
}

// getDevice decodes a device number as the C library does.
func getDevice(_ string, st *syscall.Stat_t) (string, error) {
	d := uint64(st.Rdev)
	return fmt.Sprintf("%d:%d", d>>8&0xfff|d>>32&0xfffff000, d&0xff|d>>12&0xffffff00), nil
}

func getDigest(path string, _ *syscall.Stat_t) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return fmt.Sprintf("%x", h.Sum(nil)), err
}

func getText(path string, _ *syscall.Stat_t) (string, error) {
	content, err := os.ReadFile(path)
	return string(content), err
}
