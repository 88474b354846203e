package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// matrixArchives are the images that each row builds: one of each codec, and one split in each other way.
var matrixArchives = []string{"//:codecs", "//:layers", "//:whole"}

// matrixImages are all that each row builds: also a signed payload of an image, with its disk and its
// measurements.
var matrixImages = slices.Concat(matrixArchives, []string{"//payload:payload", "//payload:disk", "//payload:measurements"})

// signsHere lets the actions run that have a key, which never run remotely.
var signsHere = []string{"--strategy=EfiSign=linux-sandbox", "--strategy=EfiPcrSign=linux-sandbox"}

// A row is an environment of the packer.
type row struct {
	name    string
	script  string   // how the packer is run: see wrap; "": directly
	options []string // of Bazel
	// prepare changes the workspace.
	prepare func(dir string) error
	remote  bool // run on a worker
	another bool // build in another workspace, with another output base
	// The lists differ, because they name files by other paths. All else is the same.
	lists bool
}

// The scripts change the environment within the sandbox, where Bazel does not reset it.
var rows = []row{
	{name: "unchanged"},
	{name: "another user", script: `exec unshare --user --map-user=1234 --map-group=2345 "$packer" "$@"`},
	{name: "umask 077", script: `umask 077; exec "$packer" "$@"`},
	{name: "umask 000", script: `umask 000; exec "$packer" "$@"`},
	{name: "another time zone", script: `export TZ=Pacific/Auckland; exec "$packer" "$@"`},
	{name: "another locale", script: `export LANG=tr_TR.UTF-8 LC_ALL=tr_TR.UTF-8; exec "$packer" "$@"`},
	{name: "no environment", script: `exec /usr/bin/env -i "$packer" "$@"`},
	{name: "another host", script: `export HOSTNAME=elsewhere; exec unshare --user --map-root-user --uts sh -c 'hostname elsewhere; exec "$@"' sh "$packer" "$@"`},
	{name: "another TMPDIR", script: `export TMPDIR=$PWD/temporary; mkdir -p "$TMPDIR"; exec "$packer" "$@"`},
	{name: "other times and modes on disk", prepare: changeOnDisk},
	{name: "one CPU", script: `exec taskset --cpu-list 0 "$packer" "$@"`},
	{name: "one thread", script: `export GOMAXPROCS=1; exec "$packer" "$@"`},
	{name: "permanent garbage collection", script: `export GOGC=5; exec "$packer" "$@"`},
	{name: "--jobs=1", options: []string{"--jobs=1"}},
	{name: "--compilation_mode=opt", options: []string{"--compilation_mode=opt"}},
	{name: "--experimental_output_paths=off", options: []string{"--experimental_output_paths=off"}, lists: true},
	// Without a sandbox, Bazel does not map paths.
	{name: "not sandboxed", options: []string{"--spawn_strategy=local", "--experimental_output_paths=off"}, lists: true},
	{name: "on a worker", remote: true, options: signsHere},
	{name: "another workspace", another: true},
	{name: "the packer for arm64, under qemu-user", script: `exec qemu-aarch64 "$packer_aarch64" "$@"`},
}

// changeOnDisk changes times and modes of files in the workspace.
func changeOnDisk(dir string) error {
	then := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	for i, file := range []string{"content/text", "content/binary", "base.list", "boot.conf", "app.sh"} {
		file = filepath.Join(dir, file)
		if err := errors.Join(os.Chmod(file, []os.FileMode{0o700, 0o777, 0o755}[i%3]), os.Chtimes(file, then, then)); err != nil {
			return err
		}
	}
	return nil
}

// matrix builds the same images for each row, and prints a table whose rows have the same digest.
func matrix(s *session) error {
	const seed = 1
	b, done, err := s.module(seed)
	if err != nil {
		return err
	}
	defer done()
	kept := filepath.Join(s.temp, "first")
	var first outputs
	for _, r := range rows {
		where := b
		if r.another {
			if where, err = s.moduleCopy("another place", seed); err != nil {
				return err
			}
			defer where.shutdown()
		}
		got, err := s.runRow(where, r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		fmt.Printf("| %-37s | %s |\n", r.name, got.withoutLists().digest())
		if first == nil {
			first = got
			// Keep the images to compare others with them.
			if err := keepArchives(b, kept); err != nil {
				return err
			}
		}
		want := first
		if r.lists {
			want, got = want.withoutLists(), got.withoutLists()
		}
		if err := expectSame(want, got); err != nil {
			return fmt.Errorf("%s: %w", r.name, errors.Join(err, diffArchives(b.dir, kept, where)))
		}
	}
	s.report("matrix: %d rows with the same %d outputs each", len(rows), len(first))
	return checkDifference(s, b, first)
}

// checkDifference shows that the matrix would notice a difference.
func checkDifference(s *session, b *bazel, first outputs) error {
	got, err := s.runRow(b, row{name: "other content", prepare: func(dir string) error { return writeContent(dir, 2) }})
	if err != nil {
		return err
	}
	if expectSame(first, got) == nil {
		return errors.New("images with other content are the same")
	}
	if err := diffArchives(b.dir, filepath.Join(s.temp, "first"), b); err == nil || !strings.Contains(err.Error(), "~ /usr/share/text: content") {
		return fmt.Errorf("packer diff does not name the changed file: %w", err)
	}
	s.report("matrix: other content is noticed, and named by packer diff")
	return nil
}

// runRow builds the images. All actions of the packer run.
func (s *session) runRow(b *bazel, r row) (outputs, error) {
	// The comment makes it differ from the program of the row before.
	if err := wrap(b.dir, fmt.Sprintf("# %s, %d\n%s", r.name, time.Now().UnixNano(), cmp.Or(r.script, unwrapped))); err != nil {
		return nil, err
	}
	if r.prepare != nil {
		if err := r.prepare(b.dir); err != nil {
			return nil, err
		}
	}
	options := append(slices.Clone(r.options), wrapped, groups, "--disk_cache=")
	runner := "linux-sandbox"
	if r.remote {
		worker, err := s.startWorker(filepath.Join(s.temp, "worker"), "")
		if err != nil {
			return nil, err
		}
		defer worker.kill()
		options = append(options, remoteOptions(worker)...)
		runner = "remote"
	}
	if slices.Contains(options, "--spawn_strategy=local") {
		runner = "local"
	}
	result, err := b.build(append(options, matrixImages...)...)
	if err != nil {
		return nil, err
	}
	return result.digests(), expectRunner(result.packing(), runner)
}

// archives returns the paths of the images in a workspace.
func archives(b *bazel) ([]string, error) {
	paths, err := b.files(matrixArchives, "--disk_cache=", wrapped)
	if err != nil {
		return nil, err
	}
	root, err := b.info("execution_root")
	for i := range paths {
		paths[i] = filepath.Join(root, paths[i])
	}
	return paths, err
}

// keepArchives copies the images to a directory.
func keepArchives(b *bazel, dir string) error {
	paths, err := archives(b)
	if err != nil {
		return err
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err == nil {
			err = writeFile(filepath.Join(dir, filepath.Base(path)), content)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// diffArchives returns an error with what packer diff says of the images and those in dir.
func diffArchives(module, dir string, b *bazel) error {
	paths, err := archives(b)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, path := range paths {
		out, err := exec.Command(filepath.Join(module, "prebuilt/packer"), "diff", filepath.Join(dir, filepath.Base(path)), path).CombinedOutput()
		if err != nil {
			fmt.Fprintf(&text, "packer diff of %s: %v\n%s", filepath.Base(path), err, out)
		}
	}
	if text.Len() == 0 {
		return errors.New("packer diff: the images unpack to the same files")
	}
	return errors.New(text.String())
}
