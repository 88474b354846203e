package lint

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// heads are the first lines of scripts, with "I" for the path of an interpreter.
var heads = []struct {
	name, head string
	want       string // the interpreter
}{
	{"plain", "#!I\n", "I"},
	{"no newline", "#!I", "I"},
	{"blanks", "#! \t I \t\n", "I"},
	{"an argument", "#!I -x y\n", "I"},
	{"a tab before the argument", "#!I\t-x\n", "I"},
	{"an argument and no newline", "#!I -x", "I"},
	{"a carriage return", "#!I\r\n", "I\r"},
	{"a NUL", "#!I\x00x\n", "I"},
	{"a NUL before the name", "#!\x00I\n", errNoInterpreter.Error()},
	{"no name", "#!\n", errNoInterpreter.Error()},
	{"blanks only", "#!  \t \nI\n", errNoInterpreter.Error()},
	{"nothing", "#!", errNoInterpreter.Error()},
	{"a full buffer of blanks", "#!" + strings.Repeat(" ", 300), errNoInterpreter.Error()},
	{"an argument that passes the buffer", "#!I " + strings.Repeat("x", 300) + "\n", "I"},
	{"a name that fills the line", "#!" + pad("I", 253) + "\n", pad("I", 253)},
	{"a name to the last byte, then a newline", "#!" + pad("I", 254) + "\n", errLongLine.Error()},
	{"a name to the last byte but one, then a blank", "#!" + pad("I", 253) + " " + strings.Repeat("x", 99) + "\n", pad("I", 253)},
	{"a name that passes the buffer", "#!" + pad("I", 299) + "\n", errLongLine.Error()},
	{"a name to the end of the file, which fills the buffer", "#!" + pad("I", 254), errLongLine.Error()},
	{"a name to the end of the file, one byte less", "#!" + pad("I", 253), pad("I", 253)},
}

// pad prepends slashes to a path, up to n bytes once "I" has its longer form.
func pad(path string, n int) string { return strings.Repeat("/", max(0, n-len(path))) + path }

func TestReadInterpreter(t *testing.T) {
	for _, test := range heads {
		head := test.head[:min(len(test.head), bufferSize)]
		got, _, err := readInterpreter([]byte(head))
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// The kernel of this machine agrees: it runs a script whose interpreter exists, does not find one
// that does not, and does not recognize the others.
func TestKernelInterpreter(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not a Linux kernel")
	}
	truth, err := exec.LookPath("true")
	if err != nil {
		t.Skip("no program true: ", err)
	}
	dir := t.TempDir()
	interpreter := filepath.Join(dir, "interpreter")
	if err := os.Symlink(truth, interpreter); err != nil {
		t.Fatal(err)
	}
	longer := func(text string) string {
		// Drop a slash for each byte by which the interpreter's path is longer than "I".
		before, after, _ := strings.Cut(text, "I")
		n := min(strings.Count(before, "/"), len(interpreter)-1)
		before = strings.Replace(before, strings.Repeat("/", n), "", 1)
		return before + interpreter + after
	}
	for _, test := range heads {
		head := test.head
		if strings.Contains(head, "I") {
			head = longer(head)
		}
		script := filepath.Join(dir, "script")
		if err := os.WriteFile(script, []byte(head), 0o755); err != nil {
			t.Fatal(err)
		}
		got, _, damage := readInterpreter([]byte(head[:min(len(head), bufferSize)]))
		err := exec.Command(script).Run()
		switch {
		case damage != nil:
			// If a NUL follows an empty name, it is EACCES.
			if !errors.Is(err, syscall.ENOEXEC) && !errors.Is(err, syscall.EACCES) {
				t.Errorf("%s: the kernel: %v; readInterpreter: %v", test.name, err, damage)
			}
		case filepath.Clean(got) == interpreter:
			if err != nil {
				t.Errorf("%s: the kernel: %v; readInterpreter: %q", test.name, err, got)
			}
		default:
			if !errors.Is(err, syscall.ENOENT) {
				t.Errorf("%s: the kernel: %v; readInterpreter: %q", test.name, err, got)
			}
		}
	}
}

// The kernel of this machine follows as many scripts as the rule does.
func TestKernelScripts(t *testing.T) {
	truth, err := exec.LookPath("true")
	if runtime.GOOS != "linux" || err != nil {
		t.Skip("not a Linux kernel, or no program true: ", err)
	}
	dir := t.TempDir()
	for i := range maxScripts + 1 {
		script := filepath.Join(dir, strconv.Itoa(i))
		if err := os.WriteFile(script, []byte("#!"+truth+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		err := exec.Command(script).Run()
		if endless := i+1 > maxScripts; errors.Is(err, syscall.ELOOP) != endless || err != nil != endless {
			t.Errorf("%d scripts: %v", i+1, err)
		}
		truth = script
	}
}
