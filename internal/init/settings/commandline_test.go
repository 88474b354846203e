package settings

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

func TestParams(t *testing.T) {
	for _, test := range []struct {
		line string
		want []Param
	}{
		{"", nil},
		{" \n", nil},
		{"quiet console=ttyS0,115200\n", []Param{{"quiet", ""}, {"console", "ttyS0,115200"}}},
		{`root=LABEL="a b" rw`, []Param{{"root", `LABEL="a b"`}, {"rw", ""}}},
		{`a="b c" "d=e f" g`, []Param{{"a", "b c"}, {"d", "e f"}, {"g", ""}}},
		{`a="b c`, []Param{{"a", "b c"}}},
		{"ro -- single root=/dev/none", []Param{{"ro", ""}}},
		{"a--b --c", []Param{{"a--b", ""}, {"--c", ""}}},
		{"=x", nil},
	} {
		if diff := cmp.Diff(test.want, Params(test.line)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.line, diff)
		}
	}
}

func TestOverride(t *testing.T) {
	s := Default()
	s.Command = []string{"/bin/app"}
	s.Env = map[string]string{"A": "1", "B": "2"}
	s.Modules = []string{"one"}
	s.AutoloadBlocklist = []string{"a"}
	line := `quiet init.command="/bin/other -v 'two words' ''" init.env=A=x=y init.module=two init.autoload init.autoload-blocklist=b init.print-pcrs=4,11 init.on-exit=halt init.on_failure=shell init.shell="/bin/ash -l" initcall_debug`
	if err := s.Override(Params(line)); err != nil {
		t.Fatal(err)
	}
	want := Settings{
		Command:           []string{"/bin/other", "-v", "two words", ""},
		Env:               map[string]string{"A": "x=y", "B": "2"},
		Modules:           []string{"one", "two"},
		Autoload:          true,
		AutoloadBlocklist: []string{"a", "b"},
		PrintPCRs:         []int{4, 11},
		OnExit:            Halt,
		OnFailure:         Shell,
		Shell:             []string{"/bin/ash", "-l"},
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if err := s.Override(Params("init.command= init.print_pcrs=")); err != nil || len(s.Command) != 0 || len(s.PrintPCRs) != 0 {
		t.Errorf("command %q, PCRs %v, error %v, want none", s.Command, s.PrintPCRs, err)
	}
}

func TestOverrideErrors(t *testing.T) {
	messages := map[string]string{}
	for _, test := range []struct{ line, param string }{
		{"init.comand=/bin/app", "init.comand"},
		{`init.command="/bin/app 'a"`, "init.command"},
		{"init.command=app", "init.command"},
		{"init.env=A", "init.env"},
		{"init.env==A", "init.env"},
		{"init.module=", "init.module"},
		{`init.module="loop max_loop=8"`, "init.module"},
		{`init.module_parameters="loop max_loop=8"`, "init.module_parameters"},
		{"init.autoload=maybe", "init.autoload"},
		{"init.print_pcrs=4,x", "init.print_pcrs"},
		{"init.print_pcrs=24", "init.print_pcrs"},
		{"init.on_exit=", "init.on_exit"},
		{"init.shell=", "init.shell"},
	} {
		s := Default()
		s.Env = map[string]string{"B": "2"}
		err := s.Override(Params("init.env=C=3 " + test.line))
		if err == nil || !strings.HasPrefix(err.Error(), "kernel command line: "+test.param+": ") {
			t.Errorf("%s: error %v, want one of %s", test.line, err, test.param)
		} else {
			messages[test.line] = err.Error()
		}
		want := Default()
		want.Env = map[string]string{"B": "2"}
		if diff := cmp.Diff(want, s); diff != "" {
			t.Errorf("%s: settings with an error (-want +got):\n%s", test.line, diff)
		}
	}
	golden.Messages(t, "TestOverrideErrors.txt", messages)
}

// FuzzCommandLine checks that parameters lose nothing but white space and quotes,
// and that settings without an error can be used.
func FuzzCommandLine(f *testing.F) {
	f.Add(`console=ttyS0 init.command="/bin/app 'a b'" -- x`)
	f.Add(`init.env="A=b c" init.on_exit=halt "root=LABEL=x y"`)
	f.Fuzz(func(t *testing.T, line string) {
		params := Params(line)
		for _, w := range params {
			if w.Name == "" || !strings.Contains(line, w.Name) || !strings.Contains(line, w.Value) {
				t.Fatalf("parameter %q of %q", w, line)
			}
		}
		s := Default()
		if s.Override(params) != nil {
			return
		}
		if err := s.check(); err != nil {
			t.Fatal(err)
		}
		if len(s.Shell) == 0 {
			t.Fatal("no shell")
		}
	})
}
