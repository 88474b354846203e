package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

func TestRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "init.conf")
	text := `# What the image runs.
command "/bin/none"
command "/bin/app"  "-v" "two \"words\"\n"

env "A" "b=c"
env "B" ""
module "virtio_blk"
	module "fs-erofs"
module "/lib/a b.ko"
module_parameters "loop" "max_loop=8"
module_parameters "loop" "max_part=1"
autoload "true"
autoload_blocklist "pcspkr"
print_pcrs "11" "4"
on_exit "reboot"`
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Read(name)
	if err != nil {
		t.Fatal(err)
	}
	want := Settings{
		Command:           []string{"/bin/app", "-v", "two \"words\"\n"},
		Env:               map[string]string{"A": "b=c", "B": ""},
		Modules:           []string{"virtio_blk", "fs-erofs", "/lib/a b.ko"},
		ModuleParameters:  []ModuleParameters{{"loop", "max_loop=8"}, {"loop", "max_part=1"}},
		Autoload:          true,
		AutoloadBlocklist: []string{"pcspkr"},
		PrintPCRs:         []int{11, 4},
		OnExit:            Reboot,
		OnFailure:         Reboot,
		Shell:             []string{"/bin/sh"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestReadNoFile(t *testing.T) {
	got, err := Read(filepath.Join(t.TempDir(), "none"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestParseErrors(t *testing.T) {
	messages := map[string]string{}
	for _, test := range []struct{ text, position string }{
		{"\ncomand \"/bin/app\"", "init.conf:2: comand"},
		{"command", "init.conf:1: command"},
		{"command /bin/app", "init.conf:1: command"},
		{`command "/bin/app`, "init.conf:1: command"},
		{`env "A=b"`, "init.conf:1: env"},
		{`on_exit "reboot" "now"`, "init.conf:1: on_exit"},
		{`on_exit "explode"`, "init.conf: on_exit"},
		{`command "bin/app"`, "init.conf: command"},
		{`command "/bin/app" "\x00"`, "init.conf: command"},
		{`shell ""`, "init.conf: shell"},
		{`env "A=B" ""`, "init.conf: env"},
		{`module " "`, "init.conf: module"},
		{`module "loop max_loop=8"`, "init.conf: module"},
		{`module_parameters "loop"`, "init.conf:1: module_parameters"},
		{`module_parameters "a b" "c"`, "init.conf: module_parameters"},
		{`autoload "perhaps"`, "init.conf:1: autoload"},
		{`print_pcrs "-1"`, "init.conf:1: print_pcrs"},
		{`autoload_blocklist ""`, "init.conf: autoload_blocklist"},
	} {
		got, err := parse("init.conf", test.text)
		if err == nil || !strings.HasPrefix(err.Error(), test.position+": ") {
			t.Errorf("%s: error %v, want one at %s", test.text, err, test.position)
		} else {
			messages[strings.TrimSpace(test.text)] = err.Error()
		}
		if diff := cmp.Diff(Default(), got); diff != "" {
			t.Errorf("%s: settings with an error (-want +got):\n%s", test.text, diff)
		}
	}
	golden.Messages(t, "TestParseErrors.txt", messages)
}

func TestEnviron(t *testing.T) {
	s := Settings{Env: map[string]string{"B": "2", "A": "1"}}
	got := s.Environ([]string{"A=0", "C=3"})
	if diff := cmp.Diff([]string{"C=3", "A=1", "B=2"}, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

// FuzzParse checks that settings without an error can be used.
func FuzzParse(f *testing.F) {
	f.Add("command \"/bin/app\" \"a\"\nenv \"A\" \"b\"\non_exit \"halt\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parse("fuzz", text)
		if err != nil {
			return
		}
		if err := s.check(); err != nil || len(s.Shell) == 0 || s.OnFailure == "" {
			t.Errorf("%+v, error %v", s, err)
		}
	})
}
