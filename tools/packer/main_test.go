package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe/petest"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/snp/snptest"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/variables/variablestest"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/write"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"packer": main,
		// The names of links to the packer.
		"gen_init_cpio":    main,
		"gen_initramfs":    main,
		"gen_initramfs.sh": main,
	})
}

// TestScript runs the command line as users do. Each script is a test.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"content":    content,
			"digest":     digest,
			"efi":        efi,
			"exits":      exits,
			"firmware":   firmware,
			"sparse":     sparse,
			"store":      store,
			"views":      views,
			"executable": executable,
		},
		Setup: func(env *testscript.Env) error {
			// With -race, each process would wait a second before it ends.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// digest SHA256 FILE fails unless the file has the digest.
func digest(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: digest SHA256 FILE")
	}
	content := ts.ReadFile(args[1])
	if got := fmt.Sprintf("%x", sha256.Sum256([]byte(content))); got != args[0] {
		ts.Fatalf("%s (%d bytes) has the digest %s, want %s", args[1], len(content), got, args[0])
	}
}

// efi ARCH FILE [TEXT] makes an EFI executable whose last section ends with a text.
func efi(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: efi ARCH FILE [TEXT]")
	}
	a, err := arch.Find(args[0])
	ts.Check(err)
	sbat := "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n" + strings.Repeat("\x00", 600)
	text := strings.Join(args[2:], " ")
	executable := petest.Executable(a.PEMachine, petest.Section{Name: ".sbat", Content: sbat}, petest.Section{Name: ".text", Content: "code " + text})
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), executable, 0o666))
}

// firmware FILE [hashes] makes a firmware for SEV-SNP, which may support hashes of a kernel.
func firmware(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: firmware FILE [hashes]")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), snptest.Firmware(len(args) > 1), 0o666))
}

// exits CODE COMMAND... fails unless the command exits with the code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if err != nil {
		exit, ok := err.(interface{ ExitCode() int })
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// content SIZE FILE makes a file that compresses like text. It is always the same.
func content(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: content SIZE FILE")
	}
	var size int
	_, err := fmt.Sscan(args[0], &size)
	ts.Check(err)
	r := rand.New(rand.NewPCG(7, 21))
	var b bytes.Buffer
	for b.Len() < size {
		fmt.Fprintf(&b, "%x ", r.IntN(1<<(1+r.IntN(16))))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b.Bytes()[:size], 0o666))
}

// executable FILE [SECTION=CONTENT...] makes an EFI executable for x86_64 with sections, which have what
// files have.
func executable(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: executable FILE [SECTION=CONTENT...]")
	}
	const x86 = 0x8664
	var sections []petest.Section
	for _, arg := range args[1:] {
		name, file, _ := strings.Cut(arg, "=")
		sections = append(sections, petest.Section{Name: name, Content: ts.ReadFile(file)})
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), petest.Executable(x86, sections...), 0o666))
}

// sparse SIZE FILE makes a file that takes no space on disk.
func sparse(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sparse SIZE FILE")
	}
	var size int64
	_, err := fmt.Sscan(args[0], &size)
	ts.Check(err)
	file, err := os.Create(ts.MkAbs(args[1]))
	ts.Check(err)
	defer file.Close()
	ts.Check(file.Truncate(size))
}

// store SIZE FILE makes the variable store of a UEFI firmware.
func store(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: store SIZE FILE")
	}
	var size int
	_, err := fmt.Sscan(args[0], &size)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), variablestest.Empty(size), 0o666))
}

// views IMAGE COMMAND... runs a command of the packer that makes the image, with the option for each
// view, and fails unless IMAGE.VIEW is what the view's own command prints of the image. What only
// the command that makes the image knows, the targets that entries come from, is not compared.
func views(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: views IMAGE COMMAND...")
	}
	file, command := args[0], args[1:]
	makes := []string{command[0], "--out", file}
	for _, view := range write.Views() {
		makes = append(makes, "--write-"+view.Name, file+"."+view.Name)
	}
	ts.Check(ts.Exec("packer", append(makes, command[1:]...)...))
	origin := regexp.MustCompile(`,"(origin|producer)":"[^"]*"`)
	for _, view := range write.Views() {
		if view.Command == "" {
			continue
		}
		written := origin.ReplaceAllString(ts.ReadFile(file+"."+view.Name), "")
		ts.Check(ts.Exec("packer", append(strings.Fields(view.Command), file)...))
		if printed := ts.ReadFile("stdout"); written != printed || printed == "" {
			ts.Fatalf("%s.%s:\n%s\npacker %s %s:\n%s", file, view.Name, written, view.Command, file, printed)
		}
	}
}
