// Package packtest has what the tests of the packages below internal/pack share.
package packtest

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// InTree makes a directory with these files the working directory.
func InTree(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// Tree returns the files below the working directory with their content; a
// directory's name ends with a slash.
func Tree(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(".", func(name string, d os.DirEntry, err error) error {
		switch {
		case err != nil || name == ".":
			return err
		case d.IsDir():
			files[name+"/"] = ""
			return nil
		case !d.Type().IsRegular():
			files[name] = d.Type().String()
			return nil
		}
		content, err := os.ReadFile(name)
		files[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Entries parses a list without errors.
func Entries(t *testing.T, text string) []*list.Entry {
	t.Helper()
	var all []*list.Entry
	p := list.NewParser(strings.NewReader(text), list.Options{Name: "a.list"})
	for {
		e, _, err := p.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("%.80q: %v", text, err)
		}
		all = append(all, e)
	}
}

// Messages splits an error into the messages that a user sees, one a line.
func Messages(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

// Lines prints entries as a list.
func Lines(all []*list.Entry) []string {
	var text []string
	for _, e := range all {
		text = append(text, e.String())
	}
	return text
}

// Soon ends the tests if f does not return: what waits for a FIFO waits for good.
func Soon(f func() error) error {
	defer time.AfterFunc(20*time.Second, func() { panic("it hangs") }).Stop()
	return f()
}

// Places returns where each of the errors is; the place is empty if an error has none.
func Places(err error) []string {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var places []string
		for _, err := range joined.Unwrap() {
			places = append(places, Places(err)...)
		}
		return places
	}
	if placed, ok := err.(*list.Error); ok {
		return []string{placed.Pos.String()}
	}
	return []string{""}
}

// Message returns the text of an error, and none of nil.
func Message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
