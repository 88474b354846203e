package list_test

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/list"
)

// The attribute before the entries of an origin is the setting that they come from: errors
// about them name it in place of a line.
func TestSetting(t *testing.T) {
	const text = `#: origin //a:a
#: attribute files
file /a x 0644 0 0
file /b
nod /c 0644 0 0 c 5000 1
#: replaces /d
dir /d 0755 0 0
pipe /e
#: origin //b:b
pipe /f
`
	settings := map[string]string{}
	places := map[string]string{}
	for p := list.NewParser(strings.NewReader(text), list.Options{Name: "all.list", Directives: true}); ; {
		e, _, err := p.Next()
		if err == io.EOF {
			break
		}
		if err, ok := err.(*list.Error); ok {
			setting, _, _ := strings.Cut(err.Err.Error(), ": ")
			places[err.Pos.String()] += setting + ";"
		} else if e != nil {
			settings[e.Name] = e.Setting
		}
	}
	if diff := cmp.Diff(map[string]string{"a": "files", "d": ""}, settings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	want := map[string]string{
		"//a:a":               "files;files;",
		"//a:a (all.list:8)":  "too few fields;",
		"//b:b (all.list:10)": "too few fields;",
	}
	if diff := cmp.Diff(want, places); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}
