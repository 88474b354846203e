package switchroot

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		args []string
		want Request
	}{
		{
			[]string{"/root", "/sbin/init"},
			Request{NewRoot: "/root", Init: "/sbin/init", Args: []string{}, Console: "/dev/console"},
		},
		{
			[]string{"-c", "/dev/tty1", "/root", "/sbin/init", "-n", "--", "-c"},
			Request{NewRoot: "/root", Init: "/sbin/init", Args: []string{"-n", "--", "-c"}, Console: "/dev/tty1"},
		},
		{
			[]string{"-nc/dev/tty1", "-d", "CAP_SYS_MODULE,sys_admin", "-dcap_chown", "--", "/root", "/init"},
			Request{NewRoot: "/root", Init: "/init", Args: []string{}, Console: "/dev/tty1", Drop: []Capability{16, 21, 0}, DryRun: true},
		},
	} {
		got, err := Parse(test.args)
		if err != nil {
			t.Errorf("%q: %v", test.args, err)
			continue
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.args, diff)
		}
	}
}

func TestParseErrors(t *testing.T) {
	messages := map[string]string{}
	for _, args := range []string{
		"", "/root", "-n /root", "-x /root /init", "--help /root /init", "/root init", "root /init", "-c console /root /init",
		"-c", "-nd", "-d cap_chown, /root /init", "-d cap_none /root /init",
	} {
		_, err := Parse(strings.Fields(args))
		var usageError *UsageError
		if !errors.As(err, &usageError) {
			t.Errorf("%s: error %v, want one of usage", args, err)
			continue
		}
		messages[args] = err.Error()
	}
	golden.Messages(t, "TestParseErrors.txt", messages)
}

// TestCapabilities compares some names with the kernel's numbers.
func TestCapabilities(t *testing.T) {
	got, err := ParseCapabilities("cap_chown,cap_net_raw,cap_sys_module,cap_sys_admin,cap_mknod,cap_checkpoint_restore")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Capability{0, 13, 16, 21, 27, 40}, got); diff != "" {
		t.Errorf("capabilities (-want +got):\n%s", diff)
	}
	if got[1].String() != "cap_net_raw" {
		t.Errorf("name %s", got[1])
	}
}

// FuzzParse checks that a valid command line can be used, and that INIT's arguments
// do not change.
func FuzzParse(f *testing.F) {
	f.Add("-n\n-c\n/dev/tty1\n/root\n/init\n-x")
	f.Add("-dcap_chown\n--\n/root\n/init")
	f.Fuzz(func(t *testing.T, text string) {
		args := strings.Split(text, "\n")
		r, err := Parse(args)
		var usageError *UsageError
		if err != nil {
			if !errors.As(err, &usageError) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if r.NewRoot[0] != '/' || r.Init[0] != '/' || r.Console[0] != '/' {
			t.Fatalf("paths %+v", r)
		}
		if diff := cmp.Diff(args[len(args)-len(r.Args):], r.Args); diff != "" {
			t.Fatal(diff)
		}
		for _, c := range r.Drop {
			if c.String() == "" {
				t.Fatal(c)
			}
		}
	})
}
