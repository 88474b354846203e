package switchroot

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// program returns an ELF file for this machine. The interpreter may be empty. The function
// change, if it is not nil, gets the header.
func program(t testing.TB, interpreter string, change func(*elf.Header64)) string {
	t.Helper()
	h := elf.Header64{
		Ident:     [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:      uint16(elf.ET_EXEC),
		Machine:   machines[runtime.GOARCH][0],
		Version:   1,
		Phoff:     64,
		Ehsize:    64,
		Phentsize: 56,
	}
	name := interpreter + "\x00"
	headers := []elf.Prog64{
		{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: 0x400000, Paddr: 0x400000, Filesz: 176 + uint64(len(name)), Memsz: 0x1000, Align: 0x1000},
		{Type: uint32(elf.PT_INTERP), Off: 176, Filesz: uint64(len(name)), Memsz: uint64(len(name)), Align: 1},
	}
	if interpreter == "" {
		headers[1].Type = uint32(elf.PT_NULL)
	}
	h.Phnum = uint16(len(headers))
	if change != nil {
		change(&h)
	}
	var b bytes.Buffer
	for _, part := range []any{h, headers, []byte(name)} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// TestCheckProgram compares the check with what the kernel says.
func TestCheckProgram(t *testing.T) {
	messages := map[string]string{}
	other := uint16(elf.EM_MIPS)
	loader := program(t, "", func(h *elf.Header64) { h.Type = uint16(elf.ET_DYN) })
	for _, test := range []struct {
		name  string
		files map[string]string
		good  bool
	}{
		{name: "static", files: map[string]string{"init": program(t, "", nil)}, good: true},
		{name: "dynamic", files: map[string]string{"init": program(t, "/lib/ld.so", nil), "lib/ld.so": loader}, good: true},
		{name: "script", files: map[string]string{"init": "#! /bin/sh -e\necho", "bin/sh": program(t, "", nil)}, good: true},
		{name: "script of one line", files: map[string]string{"init": "#!\t/bin/sh", "bin/sh": program(t, "", nil)}, good: true},
		{name: "relative interpreter", files: map[string]string{"init": "#!bin/sh\n", "bin/sh": program(t, "", nil)}, good: true},
		{name: "five interpreters", files: chain(t, 5), good: true},

		{name: "empty", files: map[string]string{"init": ""}},
		{name: "text", files: map[string]string{"init": "echo\n"}},
		{name: "short", files: map[string]string{"init": "#"}},
		{name: "zeros", files: map[string]string{"init": strings.Repeat("\x00", 300)}},
		{name: "no loader", files: map[string]string{"init": program(t, "/lib64/ld.so", nil)}},
		{name: "loader of another machine", files: map[string]string{"init": program(t, "/ld.so", nil), "ld.so": program(t, "", func(h *elf.Header64) { h.Machine = other })}},
		{name: "loader is a script", files: map[string]string{"init": program(t, "/ld.so", nil), "ld.so": "#!/sh\n", "sh": program(t, "", nil)}},
		{name: "another machine", files: map[string]string{"init": program(t, "", func(h *elf.Header64) { h.Machine = other })}},
		{name: "unknown machine", files: map[string]string{"init": program(t, "", func(h *elf.Header64) { h.Machine = 0xfffe })}},
		{name: "object file", files: map[string]string{"init": program(t, "", func(h *elf.Header64) { h.Type = uint16(elf.ET_REL) })}},
		{name: "no program headers", files: map[string]string{"init": program(t, "", func(h *elf.Header64) { h.Phnum = 0 })}},
		{name: "cut in the header", files: map[string]string{"init": program(t, "", nil)[:40]}},
		{name: "cut in the table", files: map[string]string{"init": program(t, "", nil)[:100]}},
		{name: "cut in the interpreter", files: map[string]string{"init": program(t, "/lib/ld.so", nil)[:180], "lib/ld.so": loader}},
		{name: "no interpreter", files: map[string]string{"init": "#!/bin/bash\n"}},
		{name: "no interpreter of the interpreter", files: map[string]string{"init": "#!/bin/wrapper\n", "bin/wrapper": "#!/bin/none\x1b[2J\n"}},
		{name: "carriage return", files: map[string]string{"init": "#!/bin/sh\r\necho\r\n", "bin/sh": program(t, "", nil)}},
		{name: "empty first line", files: map[string]string{"init": "#! \t\n"}},
		{name: "nothing but #!", files: map[string]string{"init": "#!"}},
		{name: "long name", files: map[string]string{"init": "#!/" + strings.Repeat("x", 300) + "\n"}},
		{name: "interpreter a directory", files: map[string]string{"init": "#!/bin\n", "bin/sh": ""}},
		{name: "interpreter is text", files: map[string]string{"init": "#!/bin/sh\n", "bin/sh": "text\n"}},
		{name: "itself", files: map[string]string{"init": "#!/init\n"}},
		{name: "six interpreters", files: chain(t, 6)},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			for name, content := range test.files {
				name = filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(content), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			err := (host{noexec: func(string) (bool, error) { return false, nil }}).checkInit(root, "/init")
			if (err == nil) != test.good {
				t.Errorf("error %v, want good %t", err, test.good)
			}
			if err != nil {
				messages[test.name] = strings.ReplaceAll(err.Error(), machineNames[machines[runtime.GOARCH][0]], "MACHINE")
			}
			if os.Getuid() == 0 {
				if err := tryProgram(Request{NewRoot: root, Init: "/init"}); (err == nil) != test.good {
					t.Errorf("a child process executes it: error %v, want good %t", err, test.good)
				}
			}
			if kernel, ok := kernelRuns(t, root); ok && kernel != test.good {
				t.Errorf("the kernel runs it: %t, want %t", kernel, test.good)
			}
		})
	}
	golden.Messages(t, "TestCheckProgram.txt", messages)
}

// chain returns a script with this number of interpreters. The last one is a program.
func chain(t *testing.T, n int) map[string]string {
	files := map[string]string{"init": "#!/1\n", fmt.Sprint(n): program(t, "", nil)}
	for i := 1; i < n; i++ {
		files[fmt.Sprint(i)] = fmt.Sprintf("#!/%d\n", i+1)
	}
	return files
}

// kernelRuns reports whether the kernel starts /init of root; ok is false if this process
// must not ask.
func kernelRuns(t *testing.T, root string) (runs, ok bool) {
	t.Helper()
	cmd := exec.Command("/init")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
	}
	err := cmd.Start()
	if os.IsPermission(err) {
		return false, false // no user namespaces
	}
	if err == nil {
		cmd.Wait() // it has no code, so it crashes
	}
	return err == nil, true
}

// With binfmt_misc, the kernel may run any format.
func TestCheckProgramOtherFormats(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(root+"/proc/sys/fs/binfmt_misc", 0o755); err != nil {
		t.Fatal(err)
	}
	h := host{root: root, noexec: func(string) (bool, error) { return false, nil }}
	if err := os.WriteFile(root+"/init", []byte(program(t, "", func(h *elf.Header64) { h.Machine = uint16(elf.EM_MIPS) })), 0o755); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"register", "status", "qemu-mips"} {
		if err := os.WriteFile(root+"/proc/sys/fs/binfmt_misc/"+name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := h.checkInit("", "/init"); (err == nil) != (i == 2) {
			t.Errorf("with %s: %v", name, err)
		}
	}
}

func FuzzCheckProgram(f *testing.F) {
	f.Add([]byte("#!/bin/sh\n"))
	f.Add([]byte(program(f, "/lib/ld.so", nil)))
	f.Fuzz(func(t *testing.T, content []byte) {
		root := t.TempDir()
		if err := os.WriteFile(root+"/init", content, 0o755); err != nil {
			t.Fatal(err)
		}
		err := (host{noexec: func(string) (bool, error) { return false, nil }}).checkInit(root, "/init")
		if err != nil && strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("%q", err)
		}
	})
}
