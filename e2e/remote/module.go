package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// groups requests all output groups of an image.
const groups = "--output_groups=+list,+listing,+json,+parts,+_validation"

// newSeed returns a number that no build has seen.
func newSeed() uint64 { return uint64(time.Now().UnixNano()) }

// packer returns the packer for a CPU, amd64 or arm64.
func (s *session) packer(cpu string) ([]byte, error) {
	if s.packers[cpu] == nil {
		target := "//tools/packer/cpus:packer_" + cpu
		b := s.newBazel(s.here, "")
		if _, err := b.build(target); err != nil {
			return nil, err
		}
		files, err := b.files([]string{target})
		if err != nil {
			return nil, err
		}
		if s.packers[cpu], err = os.ReadFile(filepath.Join(s.here, strings.Join(files, " "))); err != nil {
			return nil, err
		}
	}
	return s.packers[cpu], nil
}

// module returns the workspace in the directory module, after adding the packers and content.
// done removes them and ends the server.
func (s *session) module(seed uint64) (b *bazel, done func(), err error) {
	dir := filepath.Join(s.here, "e2e/remote/module")
	b = s.newBazel(dir, "")
	done = func() {
		b.shutdown()
		os.RemoveAll(filepath.Join(dir, "content"))
		for file := range packers {
			os.Remove(filepath.Join(dir, "prebuilt", file))
		}
		os.Remove(filepath.Join(dir, "prebuilt/wrapped.sh"))
	}
	if err := s.fill(dir, seed); err != nil {
		done()
		return nil, nil, err
	}
	return b, done, nil
}

// moduleCopy copies the workspace of module, with an output base beside the copy.
func (s *session) moduleCopy(name string, seed uint64) (*bazel, error) {
	dir := filepath.Join(s.temp, name)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(s.here, "e2e/remote/module"))); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "MODULE.bazel")
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	content = bytes.ReplaceAll(content, []byte(`"../../.."`), fmt.Appendf(nil, "%q", s.here))
	if err := os.WriteFile(file, content, 0o644); err != nil {
		return nil, err
	}
	return s.newBazel(dir, filepath.Join(s.temp, name+".output")), s.fill(dir, seed)
}

// packers are the files of the packer in the module, and their CPUs.
var packers = map[string]string{"packer": "amd64", "packer_aarch64": "arm64"}

// fill adds the packers and content to a module.
func (s *session) fill(dir string, seed uint64) error {
	for file, cpu := range packers {
		content, err := s.packer(cpu)
		if err != nil {
			return err
		}
		file = filepath.Join(dir, "prebuilt", file)
		os.Remove(file)
		if err := os.WriteFile(file, content, 0o755); err != nil {
			return err
		}
	}
	return errors.Join(wrap(dir, unwrapped), writeContent(dir, seed))
}

// wrapped is the option to run the packer by the script that wrap writes.
const wrapped = "--extra_toolchains=//prebuilt:wrapped_toolchain"

// unwrapped is the script that runs the packer as it is.
const unwrapped = `exec "$packer" "$@"`

// wrap writes the script that runs the packer for the images of a module: lines of shell that end
// in running "$packer" "$@", or "$packer_aarch64". All actions run again when it changes.
func wrap(dir, script string) error {
	script = `#!/bin/bash -eu
packer=$0.runfiles/_main/prebuilt/packer
packer_aarch64=${packer}_aarch64
` + script + "\n"
	return os.WriteFile(filepath.Join(dir, "prebuilt/wrapped.sh"), []byte(script), 0o755)
}

// writeContent writes the content of the module's images: text, which compresses, and bytes, which
// do not.
func writeContent(dir string, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 1))
	var words [1000]string
	for i := range words {
		words[i] = fmt.Sprintf("%x", r.IntN(1<<(1+r.IntN(30))))
	}
	var text, binary bytes.Buffer
	for text.Len() < 300_000 {
		text.WriteString(words[r.IntN(1+r.IntN(len(words)))])
		text.WriteByte(" \n"[r.IntN(2)])
	}
	for binary.Len() < 100_000 {
		binary.WriteByte(byte(r.Uint32()))
	}
	return errors.Join(writeFile(filepath.Join(dir, "content/text"), text.Bytes()),
		writeFile(filepath.Join(dir, "content/binary"), binary.Bytes()))
}

// writeFile writes a file and makes its directory.
func writeFile(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, content, 0o644)
}
