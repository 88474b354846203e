package plan

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/packtest"
)

func TestDuplicatesAllowed(t *testing.T) {
	tests := []struct {
		name, list string
		want       []string
		fault      string
	}{
		{
			name: "the order of both stays",
			list: "file /a/f x 0644 0 0\ndir /a 0755 0 0\nfile /a/f y 0644 0 0\ndir /a 0700 0 0\n",
			want: []string{"dir /a 0755 0 0", "file /a/f x 0644 0 0", "file /a/f y 0644 0 0", "dir /a 0700 0 0"},
		},
		{
			name: "by way of a link",
			list: "slink /l a 0777 0 0\ndir /a 0755 0 0\nfile /l/f x 0644 0 0\nfile /a/f y 0644 0 0\nslink /l a 0777 1 0\n",
			want: []string{"slink /l a 0777 0 0", "dir /a 0755 0 0", "file /l/f x 0644 0 0", "file /a/f y 0644 0 0", "slink /l a 0777 1 0"},
		},
		{
			name:  "two places",
			list:  "slink /l a 0777 0 0\nslink /l b 0777 0 0\n",
			fault: "a.list:2",
		},
		{
			name:  "a file that becomes a directory",
			list:  "file /a x 0644 0 0\ndir /a 0755 0 0\n",
			fault: "a.list:2",
		},
	}
	messages := map[string]string{}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Complete(packtest.Entries(t, test.list), true, true)
			if test.fault != "" {
				if diff := cmp.Diff([]string{test.fault}, packtest.Places(err)); diff != "" {
					t.Errorf("errors (-want +got):\n%s", diff)
				}
				messages[test.name] = packtest.Message(err)
			} else if err != nil {
				t.Error(err)
			} else if diff := cmp.Diff(test.want, packtest.Lines(got)); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
			// Without parents nothing is looked at: that is how the kernel's tool packs.
			all := packtest.Entries(t, test.list)
			if got, err := Complete(all, false, true); err != nil || len(got) != len(all) {
				t.Errorf("without parents: %d entries, %v", len(got), err)
			}
		})
	}
	golden.Section(t, "messages.txt", messages)
}

// What cannot be read is left for whoever packs it to report.
func TestDedupeUnreadable(t *testing.T) {
	packtest.InTree(t, map[string]string{"x": "x", "d/y": "y"})
	list := "file /a x 0644 0 0\nfile /b missing 0644 0 0\nfile /c d 0644 0 0\nfile /e /dev/null 0644 0 0\nfile /f missing 0644 0 0\nfile /g x 0644 0 0\n"
	got, err := Dedupe(context.Background(), packtest.Entries(t, list))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"file /b missing 0644 0 0", "file /c d 0644 0 0", "file /e /dev/null 0644 0 0", "file /f missing 0644 0 0", "file /a x 0644 0 0 /g"}
	if diff := cmp.Diff(want, packtest.Lines(got)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestDedupeInterrupted(t *testing.T) {
	packtest.InTree(t, map[string]string{"x": "x"})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Dedupe(ctx, packtest.Entries(t, "file /a x 0644 0 0\nfile /b x 0644 0 0\n")); err == nil {
		t.Error("read to its end")
	}
}
