// Package tables writes the tables that the rules share with the programs: what stands in
// Go's tables of codecs, architectures, failure classes and so on becomes
// rules/private/tables.bzl.
package tables

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/elf"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/init/settings"
	"github.com/rules-initramfs/rules_initramfs/internal/lint"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// The Starlark file is what the Go tables say; go test -update writes it.
func TestStarlark(t *testing.T) {
	var f file
	f.line(`"""What the rules share with the programs. "go test ./internal/tables -update" writes this file."""`)

	f.begin("The architectures that kernels are built for and booted on.", "ARCHS", "{")
	for _, a := range arch.All() {
		f.row(a.Name, "console", a.Console, "cpu", a.CPU, "cross_compile", a.CrossCompile, "debian", a.Debian, "efi", a.EFI,
			"image", a.Image[strings.LastIndex(a.Image, "/")+1:], "jvm", a.JVM, "qemu", a.QEMU)
	}
	f.line("}")

	f.begin("The codecs of images: what file names end in, and the highest level, which is 0 if a codec has none.", "CODECS", "{")
	for _, c := range codec.All() {
		f.row(c.Name, "extension", c.Extension, "levels", c.Highest)
	}
	f.line("}")

	f.begin("The ways in which a boot fails, and what they mean.", "FAILURES", "{")
	for _, row := range failure.Classes {
		f.line("    %s: %s,", quote(string(row.Class)), quote(row.Meaning))
	}
	f.line("}")

	writeList(&f, "Those that the kernel reports in its messages, and that a boot may allow.", "KERNEL_FAILURES", failure.WithReport(failure.FailsBoot))
	writeList(&f, "Those that the kernel reports too, and that a boot may ask to fail for.", "OPTIONAL_FAILURES", failure.WithReport(failure.FailsIfAsked))
	writeList(&f, "What guest_init does in the end.", "INIT_ACTIONS", settings.Actions())

	f.begin("The rules of packer lint, and what becomes of them by default.", "LINT_RULES", "{")
	for _, r := range lint.Rules() {
		f.line("    %s: %s,", quote(r.ID), quote(string(r.Severity)))
	}
	f.line("}")

	f.begin("What packer pack and join can write with an image (--write-NAME): what it has, and the command that prints the same.", "IMAGE_VIEWS", "{")
	for _, v := range write.Views() {
		f.line("    %s: struct(", quote(v.Name))
		if words := strings.Fields(v.Command); len(words) == 0 {
			f.line("        command = None,")
		} else {
			f.line("        command = [")
			for _, word := range words {
				f.line("            %s,", quote(word))
			}
			f.line("        ],")
		}
		f.line("        doc = %s,", quote(v.Doc()))
		f.line("    ),")
	}
	f.line("}")

	f.begin("What replaces a character in a field of a list: the backslash comes first, because the others add some.", "LIST_ESCAPES", "[")
	f.line("    (%s, %s),", quote(`\`), quote(`\134`))
	for c := range byte(0x80) {
		if escaped := list.Escape(string(rune(c))); escaped != string(rune(c)) {
			f.line("    (%s, %s),", quote(string(rune(c))), quote(escaped))
		}
	}
	f.line("]")

	golden.Text(t, "../../../rules/private/tables.bzl", f.String())
}

// Packer lint knows the architectures that the rules pass to it, under the same names.
func TestArchitectures(t *testing.T) {
	for _, name := range arch.Names() {
		if a, err := elf.ParseArch(name); err != nil || a.String() != name {
			t.Errorf("elf.ParseArch(%q): %v, %v", name, a, err)
		}
	}
}

// Every class has a meaning, and each name is that of one class.
func TestFailures(t *testing.T) {
	seen := map[failure.Class]bool{}
	for _, row := range failure.Classes {
		if seen[row.Class] || row.Meaning == "" {
			t.Errorf("%s: there twice, or without a meaning", row.Class)
		}
		seen[row.Class] = true
	}
}

// file is a file of Starlark, as buildifier formats it.
type file struct{ strings.Builder }

func (f *file) line(format string, args ...any) { fmt.Fprintf(f, format+"\n", args...) }

// writeList writes a constant that is a sorted list of texts.
func writeList[T ~string](f *file, comment, name string, values []T) {
	f.begin(comment, name, "[")
	for _, v := range slices.Sorted(slices.Values(values)) {
		f.line("    %s,", quote(string(v)))
	}
	f.line("]")
}

// begin begins a constant with a comment.
func (f *file) begin(comment, name, bracket string) {
	f.line("\n# %s\n%s = %s", comment, name, bracket)
}

// row writes a struct of a dictionary: fields are names and values in turn.
func (f *file) row(key string, fields ...any) {
	f.line("    %s: struct(", quote(key))
	for field := range slices.Chunk(fields, 2) {
		value := fmt.Sprint(field[1])
		if text, ok := field[1].(string); ok {
			value = quote(text)
		}
		f.line("        %s = %s,", field[0], value)
	}
	f.line("    ),")
}

func quote(text string) string { return fmt.Sprintf("%q", text) }
