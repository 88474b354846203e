// Command app prints its data files. It finds them through its runfiles, like any program that Bazel
// builds, including those of other modules.
package main

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/bazelbuild/rules_go/go/runfiles"
)

func main() {
	if err := printData(); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		os.Exit(1)
	}
}

func printData() error {
	own, err := runfiles.Rlocation("rules_initramfs/rules/tests/boot/content/app/data.txt")
	if err != nil {
		return err
	}
	data, err := os.ReadFile(own)
	if err != nil {
		return err
	}
	fmt.Printf("data.txt: %s", data)

	directory, err := runfiles.Rlocation("rules_initramfs/rules/tests/boot/content/app/folder")
	if err != nil {
		return err
	}
	err = fs.WalkDir(os.DirFS(directory), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			fmt.Println(path.Join("folder", name))
		}
		return err
	})
	if err != nil {
		return err
	}

	// _repo_mapping has the directory of rules_go.
	foreign, err := runfiles.Rlocation("rules_go/AUTHORS")
	if err != nil {
		return err
	}
	f, err := os.Open(foreign)
	if err != nil {
		return err
	}
	defer f.Close()
	line, err := bufio.NewReader(f).ReadString('\n')
	fmt.Print("rules_go/AUTHORS: ", line)
	return err
}
