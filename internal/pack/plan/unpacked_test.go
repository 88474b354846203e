package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/packtest"
)

// What the kernel drops is not packed.
func TestCheckUnpacked(t *testing.T) {
	texts := map[string]string{}
	for _, test := range []struct {
		name, list string
		want       []string
	}{
		{"a directory is missing", "file /a x 0644 0 0 /n/b\n", []string{"a.list:1"}},
		{"the first name's directory is missing", "file /n/b x 0644 0 0 /a\n", []string{"a.list:1"}},
		{"the directory comes later", "file /a x 0644 0 0 /n/b\ndir /n 0755 0 0\n", []string{"a.list:1"}},
		{"by a link to nothing", "slink /n m 0777 0 0\nfile /a x 0644 0 0 /n/b\n", []string{"a.list:2"}},
		{"by a link", "dir /m 0755 0 0\nslink /n m 0777 0 0\nfile /a x 0644 0 0 /n/b\n", nil},
		{"all directories are missing", "file /n/a x 0644 0 0 /n/b /m/c\n", nil},
		{"below a file", "file /a x 0644 0 0\nfile /a/b x 0644 0 0\n", []string{"a.list:2"}},
		{"below a loop", "slink /a b 0777 0 0\nslink /b a 0777 0 0\ndir /a/c 0755 0 0\n", []string{"a.list:3"}},
		{"another device", "nod /a 0644 0 0 c 1 3\nnod /a 0644 0 0 c 1 5\n", []string{"a.list:2"}},
		{"a directory that is not empty", "dir /a 0755 0 0\npipe /a/b 0644 0 0\npipe /a 0644 0 0\n", []string{"a.list:3"}},
		{"a directory with a slash at its end", "dir /a/ 0755 0 0\ndir /a/b/. 0755 0 0\n", []string{"a.list:2"}},
		{"complete", "dir /n 0755 0 0\nfile /a x 0644 0 0 /n/b\n", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := CheckUnpacked(packtest.Entries(t, test.list))
			if diff := cmp.Diff(test.want, packtest.Places(err)); diff != "" {
				t.Errorf("places (-want +got):\n%s", diff)
			}
			if err != nil {
				texts[test.name] = packtest.Message(err)
			}
		})
	}
	golden.Section(t, "messages.txt", texts)
}
