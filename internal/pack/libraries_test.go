package pack

import (
	debugelf "debug/elf"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/elf"
	"github.com/rules-initramfs/rules_initramfs/internal/elf/elftest"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/lint"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
)

// judge packs lists, and asks the dynamic loader of the machine what it thinks of the image.
type judge struct {
	*testing.T
	// libraries are the lines of a list for the machine's shared libraries, by path.
	libraries map[string]string
	// loader is the path of the dynamic loader.
	loader string
}

// pack packs the own entries with what they need of the others, and returns the completed entries.
func (j *judge) pack(own string, spare []string) ([]*list.Entry, error) {
	text := "#: origin //:a\n" + own + "#: attribute libraries\n#: libraries\n#: library machine\n" + strings.Join(spare, "") + "#: endlibraries\n"
	if err := os.WriteFile("a.list", []byte(text), 0o666); err != nil {
		j.Fatal(err)
	}
	opts := Options{Options: write.Options{Out: "image", ListOut: "image.list", ViewsOut: map[string]string{"libraries": "image.libraries"}, Method: method(j.T, "none"), Jobs: 1}, Lists: []string{"a.list"},
		Read: source.Options{Directives: true}, Parents: true}
	if err := Run(j.Context(), opts); err != nil {
		return nil, err
	}
	return source.ReadLists(j.Context(), []string{"image.list"}, source.Options{Directives: true})
}

// packAs packs a list as it is.
func (j *judge) packAs(text string) {
	j.Helper()
	if err := os.WriteFile("b.list", []byte(text), 0o666); err != nil {
		j.Fatal(err)
	}
	opts := Options{Options: write.Options{Out: "image", Method: method(j.T, "none"), Jobs: 1}, Lists: []string{"b.list"}, Parents: true}
	if err := Run(j.Context(), opts); err != nil {
		j.Fatal(err)
	}
}

// lints reports whether lint finds nothing wrong with what the programs of the image are linked with.
func (j *judge) lints() bool {
	file, err := os.Open("image")
	if err != nil {
		j.Fatal(err)
	}
	defer file.Close()
	ok := true
	err = lint.Run(image.NewReader(file), lint.Options{}, func(f lint.Finding) error {
		if f.Rule == "library" || f.Rule == "elf-interpreter" {
			j.Logf("lint: %s: %s", f.Entry, f.Message)
			ok = false
		}
		return nil
	})
	if err != nil {
		j.Fatal(err)
	}
	return ok
}

// randomSystem returns the lines of programs and of libraries that they may need, as lists. Each
// library is in one directory.
func randomSystem(t *testing.T, r *rand.Rand) (programs string, libraries []string) {
	pick := func(texts ...string) string { return texts[r.IntN(len(texts))] }
	loader := pick("/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1")
	const libs = 8
	defines := make([][]string, libs)
	for i := range defines {
		defines[i] = [][]string{nil, {"V_1"}, {"V_1", "V_2"}}[r.IntN(3)]
	}
	file := func(i int, most int) elftest.File {
		f := elftest.File{RPath: pick("", "", "/opt/a", "$ORIGIN/../opt/b"), RunPath: pick("", "", "/opt/a:/opt/b", "$ORIGIN")}
		for range r.IntN(most) {
			if lib := i + 1 + r.IntN(libs); lib < libs {
				name := fmt.Sprintf("lib%d.so", lib)
				f.Needed = append(f.Needed, name)
				if r.IntN(3) == 0 {
					f.Requires = append(f.Requires, elf.Requirement{Name: name, Versions: []string{pick("V_1", "V_1", "V_2")}})
				}
			}
		}
		return f
	}
	write := func(name string, f elftest.File) {
		if err := os.WriteFile(name, []byte(f.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		f := file(-1, 5)
		f.Interp = loader
		name := fmt.Sprintf("program%d", i)
		write(name, f)
		programs += fmt.Sprintf("file /bin/%s %s 0755 0 0\n", name, name)
	}
	for i := range libs {
		f := file(i, 4)
		f.Type, f.Defines = debugelf.ET_DYN, defines[i]
		name := fmt.Sprintf("lib%d.so", i)
		write(name, f)
		dir := pick("/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/opt/a", "/opt/b", "/srv")
		if r.IntN(3) > 0 {
			libraries = append(libraries, fmt.Sprintf("file %s/%s %s 0644 0 0\n", dir, name, name))
		} else if r.IntN(8) > 0 {
			libraries = append(libraries, fmt.Sprintf("file %s/real-%s %s 0644 0 0\nslink %s/%s real-%s 0777 0 0\n", dir, name, name, dir, name, name))
		}
	}
	write("ld", elftest.File{Type: debugelf.ET_DYN})
	if r.IntN(2) == 0 {
		libraries = append(libraries, "slink /lib64 usr/lib64 0777 0 0\nslink /lib usr/lib 0777 0 0\n")
		loader = "/usr" + loader
	}
	return programs, append(libraries, fmt.Sprintf("file %s ld 0755 0 0\n", loader))
}

// Lint finds nothing wrong with what was packed, and it refuses what the packer refuses, and anything
// that lacks one of the files that were taken.
func TestLibrariesLint(t *testing.T) {
	t.Chdir(t.TempDir())
	packed := 0
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			programs, libraries := randomSystem(t, r)
			j := &judge{T: t}
			entries, err := j.pack(programs, libraries)
			if err != nil {
				j.packAs(programs + strings.Join(libraries, ""))
				if j.lints() {
					t.Errorf("lint finds nothing, but: %v", err)
				}
				return
			}
			packed++
			if !j.lints() {
				t.Error("lint refuses the image")
			}
			var taken []int
			for i, e := range entries {
				if e.Reason != "" && e.Kind == list.File {
					taken = append(taken, i)
				}
			}
			without := taken[r.IntN(len(taken))]
			var text strings.Builder
			for i, e := range entries {
				if i != without {
					fmt.Fprintln(&text, e)
				}
			}
			j.packAs(text.String())
			if j.lints() {
				t.Errorf("without %s: lint finds nothing", entries[without].Name)
			}
			if _, err := j.pack(text.String(), nil); err == nil {
				t.Errorf("without %s: no error", entries[without].Name)
			}
		})
	}
	if packed < 20 || packed > 130 {
		t.Errorf("%d of 150 systems are whole", packed)
	}
}
