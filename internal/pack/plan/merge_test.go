package plan

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/packtest"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
)

// layers parses the completed lists of layers.
func layers(t *testing.T, texts ...string) [][]*list.Entry {
	t.Helper()
	packtest.InTree(t, nil)
	var all [][]*list.Entry
	for _, text := range texts {
		for _, digit := range []string{"0", "1"} {
			text = strings.ReplaceAll(text, "@"+digit, strings.Repeat(digit, 64))
		}
		if err := os.WriteFile("layer.list", []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		layer, err := source.ReadLayer("layer.list")
		if err != nil {
			t.Fatalf("%.80q: %v", text, err)
		}
		entries, err := Apply(layer.Entries, layer.Changes, nil, true)
		if err != nil {
			t.Fatalf("%.80q: %v", text, err)
		}
		all = append(all, entries)
	}
	return all
}

// completed prints entries as a completed list.
func completed(t *testing.T, entries []*list.Entry) string {
	t.Helper()
	var b strings.Builder
	if err := list.Write(&b, entries, nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestMergeLayers(t *testing.T) {
	tests := []struct {
		name        string
		layers      []string
		want, again string
	}{
		{"nothing", []string{"", ""}, "", ""},
		{
			"one after the other",
			[]string{"#: origin //a:a\ndir /a 0755 0 0\n", "#: origin //b:b\ndir /b 0755 0 0\n"},
			"#: origin //a:a\ndir /a 0755 0 0\n#: origin //b:b\ndir /b 0755 0 0\n",
			"",
		},
		{
			"a directory that both need is in the first",
			[]string{
				"#: origin //a:a\n#: added\ndir /d 0755 0 0\npipe /d/a 0600 0 0\n",
				"#: origin //b:b\n#: added\ndir /d 0755 0 0\npipe /d/b 0600 0 0\n",
			},
			"#: origin //a:a\n#: added\ndir /d 0755 0 0\npipe /d/a 0600 0 0\n#: origin //b:b\npipe /d/b 0600 0 0\n",
			"",
		},
		{
			"a later one that is added takes mode and owner",
			[]string{
				"#: origin //a:a\ndir /d 0700 7 8\n",
				"#: origin //b:b\n#: added\ndir /d 0755 0 0\npipe /d/b 0600 0 0\n",
			},
			"#: origin //a:a\ndir /d 0700 7 8\n#: origin //b:b\npipe /d/b 0600 0 0\n",
			"#: origin //a:a\ndir /d 0700 7 8\n",
		},
		{
			"a later one that is given has its own",
			[]string{
				"#: origin //a:a\n#: added\ndir /d 0755 0 0\npipe /d/a 0600 0 0\n",
				"#: origin //b:b\ndir /d 0700 7 8\n",
			},
			"#: origin //b:b\ndir /d 0700 7 8\n#: origin //a:a\npipe /d/a 0600 0 0\n",
			"",
		},
		{
			"added again after it",
			[]string{
				"#: origin //a:a\n#: added\ndir /d 0755 0 0\npipe /d/a 0600 0 0\n",
				"#: origin //b:b\ndir /d 0700 7 8\n",
				"#: origin //c:c\n#: added\ndir /d 0755 0 0\npipe /d/c 0600 0 0\n",
			},
			"#: origin //b:b\ndir /d 0700 7 8\n#: origin //a:a\npipe /d/a 0600 0 0\n#: origin //c:c\npipe /d/c 0600 0 0\n",
			"#: origin //b:b\ndir /d 0700 7 8\n",
		},
		{
			"equal entries",
			[]string{
				"#: origin //a:a\ndir /d 0700 7 8\nslink /s d 0777 0 0\nnod /n 0600 0 0 c 1 3\npipe /p 0600 0 0\n",
				"#: origin //b:b\npipe /p 0600 0 0\ndir /d 0700 7 8\nfile /d/f x 0644 0 0\n",
				"#: origin //c:c\n#: added\ndir /d 0755 0 0\nfile /d/g x 0644 0 0\nslink /s d 0777 0 0\nnod /n 0600 0 0 c 1 3\n",
			},
			"#: origin //a:a\ndir /d 0700 7 8\nslink /s d 0777 0 0\nnod /n 0600 0 0 c 1 3\npipe /p 0600 0 0\n" +
				"#: origin //b:b\nfile /d/f x 0644 0 0\n#: origin //c:c\nfile /d/g x 0644 0 0\n",
			"#: origin //a:a\ndir /d 0700 7 8\n",
		},
		{
			"equal files",
			[]string{
				"#: origin //a:a\n#: sha256 @0\nfile /f x 0644 0 0\n#: sha256 @1\nfile /g x 0644 0 0 /h\n",
				"#: origin //b:b\n#: sha256 @0\nfile /f y 0644 0 0\n#: sha256 @1\nfile /h z 0644 0 0 /g\n",
			},
			"#: origin //a:a\nfile /f x 0644 0 0\nfile /g x 0644 0 0 /h\n",
			"",
		},
		{
			"replaced once more",
			[]string{
				"#: origin //a:a\nfile /f x 0644 0 0\n",
				"#: origin //b:b\n#: replaced /f\n#: replaced /g\nfile /f y 0644 0 0 /g\n",
			},
			"#: origin //b:b\nfile /f y 0644 0 0 /g\n",
			"",
		},
		{
			"replaced",
			[]string{
				"#: origin //a:a\nfile /f x 0644 0 0\nslink /s f 0777 0 0\ndir /d 0755 0 0\nnod /n 0600 0 0 c 1 3\n",
				"#: origin //b:b\n#: replaces /f\nfile /f y 0600 1 2\n#: replaces /s\npipe /s 0600 0 0\n#: replaces /d\ndir /d 0700 3 4\n#: replaces /n\nnod /n 0666 0 0 c 1 3\n",
			},
			"#: origin //b:b\ndir /d 0700 3 4\nfile /f y 0600 1 2\npipe /s 0600 0 0\nnod /n 0666 0 0 c 1 3\n",
			"",
		},
		{
			"an empty directory by a file, and that by a directory",
			[]string{
				"#: origin //a:a\ndir /d 0755 0 0\n",
				"#: origin //b:b\n#: replaces /d\nfile /d y 0600 1 2\n",
				"#: origin //c:c\n#: replaces /d\ndir /d 0711 0 0\n",
			},
			"#: origin //c:c\ndir /d 0711 0 0\n",
			"",
		},
		{
			"one of two names",
			[]string{
				"#: origin //a:a\nfile /f x 0644 0 0 /g\n",
				"#: origin //b:b\n#: replaces /f\nslink /f g 0777 0 0\n",
			},
			"#: origin //a:a\nfile /g x 0644 0 0\n#: origin //b:b\nslink /f g 0777 0 0\n",
			"",
		},
		{
			"one of two names below a symbolic link",
			[]string{
				"#: origin //a:a\ndir /usr 0755 0 0\nslink /lib usr 0777 0 0\nfile /lib/f x 0644 0 0 /lib/g\n",
				"#: origin //b:b\n#: added\ndir /usr 0755 0 0\n#: replaces /usr/f\nslink /usr/f g 0777 0 0\n",
			},
			"#: origin //a:a\ndir /usr 0755 0 0\nslink /lib usr 0777 0 0\nfile /lib/g x 0644 0 0\n#: origin //b:b\nslink /usr/f g 0777 0 0\n",
			"",
		},
		{
			"a symbolic link that something is below",
			[]string{
				"#: origin //a:a\ndir /usr 0755 0 0\nslink /lib usr 0777 0 0\nfile /lib/f x 0644 0 0 /lib/g\ndir /lib/d 0700 0 0\n",
				"#: origin //b:b\n#: replaces /lib\ndir /lib 0755 0 0\n",
			},
			"#: origin //a:a\ndir /usr 0755 0 0\nfile /usr/f x 0644 0 0 /usr/g\ndir /usr/d 0700 0 0\n#: origin //b:b\ndir /lib 0755 0 0\n",
			"",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			entries, again, err := MergeLayers(layers(t, test.layers...), 0)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, completed(t, entries)); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.again, completed(t, again)); diff != "" {
				t.Errorf("unpacked again (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMergeLayersErrors(t *testing.T) {
	tests := []struct {
		name   string
		layers []string
		want   []string
	}{
		{
			"given twice",
			[]string{"#: origin //a:a\nfile /f x 0644 0 0\ndir /d 0755 0 0\n", "#: origin //b:b\nfile /f x 0644 0 0\ndir /d 0700 0 0\n"},
			[]string{"//b:b", "//b:b"},
		},
		{
			"files of other content",
			[]string{"#: origin //a:a\n#: sha256 @0\nfile /f x 0644 0 0\n", "#: origin //b:b\n#: sha256 @1\nfile /f x 0644 0 0\n"},
			[]string{"//b:b"},
		},
		{
			"a directory with something in it, and a file",
			[]string{"#: origin //a:a\ndir /d 0755 0 0\npipe /d/p 0600 0 0\n", "#: origin //b:b\nfile /d x 0644 0 0\n"},
			[]string{"//b:b"},
		},
		{
			"a directory with something in it, replaced by a file",
			[]string{"#: origin //a:a\ndir /d 0755 0 0\npipe /d/p 0600 0 0\n", "#: origin //b:b\n#: replaces /d\nfile /d x 0644 0 0\n"},
			[]string{"//b:b"},
		},
		{
			"what another needs as a directory",
			[]string{"#: origin //a:a\n#: added\ndir /d 0755 0 0\npipe /d/p 0600 0 0\n", "#: origin //b:b\nslink /d x 0777 0 0\n"},
			[]string{"//b:b"},
		},
		{
			"an empty one that another needs",
			[]string{"#: origin //a:a\n#: added\ndir /d 0755 0 0\n", "#: origin //b:b\nslink /d x 0777 0 0\n"},
			[]string{"//b:b"},
		},
		{
			"below a symbolic link of another",
			[]string{
				"#: origin //a:a\ndir /usr 0755 0 0\nslink /lib usr 0777 0 0\n",
				"#: origin //b:b\n#: added\ndir /lib 0755 0 0\nfile /lib/f x 0644 0 0\n",
			},
			[]string{"//b:b"},
		},
		{
			"below a file of another",
			[]string{"#: origin //a:a\nfile /f x 0644 0 0\n", "#: origin //b:b\n#: added\ndir /f 0755 0 0\nfile /f/g x 0644 0 0\n"},
			[]string{"//b:b"},
		},
		{
			"replaces nothing",
			[]string{"#: origin //a:a\ndir /d 0755 0 0\n", "#: origin //b:b\n#: replaces /f\nfile /f x 0644 0 0\n"},
			[]string{"//b:b"},
		},
		{
			"replaces what comes later",
			[]string{"#: origin //a:a\n#: replaces /f\nfile /f x 0644 0 0\n", "#: origin //b:b\nfile /f x 0644 0 0\n"},
			[]string{
				"//a:a",
				"//b:b",
			},
		},
		{
			"one of several names",
			[]string{"#: origin //a:a\nfile /f x 0644 0 0 /g /h\n", "#: origin //b:b\n#: replaces /g\nfile /g y 0644 0 0\n"},
			[]string{"//b:b"},
		},
		{
			"a device by another",
			[]string{"#: origin //a:a\nnod /n 0600 0 0 c 1 3\n", "#: origin //b:b\n#: replaces /n\nnod /n 0600 0 0 c 1 5\n"},
			[]string{"//b:b"},
		},
		{
			"a directory with a time of its own, after one that was added",
			[]string{"#: origin //a:a\n#: added\ndir /d 0755 0 0\npipe /d/p 0600 0 0\n", "#: origin //b:b\n#: mtime 5\ndir /d 0755 0 0\n"},
			[]string{"//b:b"},
		},
		{
			"a directory replaced by one of another time",
			[]string{"#: origin //a:a\ndir /d 0755 0 0\n", "#: origin //b:b\n#: mtime 5\n#: replaces /d\ndir /d 0755 0 0\n"},
			[]string{"//b:b"},
		},
	}
	messages := map[string]string{}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := MergeLayers(layers(t, test.layers...), 0)
			if diff := cmp.Diff(test.want, packtest.Places(err)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			messages[test.name] = packtest.Message(err)
		})
	}
	golden.Section(t, "messages.txt", messages)
}

// Directories get their times when all is unpacked: that of the image, or their own.
func TestMergeLayersTimes(t *testing.T) {
	all := layers(t, "dir /a 0755 0 0\n#: mtime 7\ndir /b 0755 0 0\n", "#: added\ndir /b 0755 0 0\npipe /b/c 0600 0 0\n")
	if _, _, err := MergeLayers(all, 5); err != nil {
		t.Error(err)
	}
	all = layers(t, "#: added\ndir /b 0755 0 0\npipe /b/c 0600 0 0\n", "#: mtime 7\ndir /b 0755 0 0\n")
	if _, _, err := MergeLayers(all, 5); err == nil || !strings.Contains(err.Error(), "its time stays") {
		t.Errorf("a time that the kernel does not take: got %v", err)
	}
}
