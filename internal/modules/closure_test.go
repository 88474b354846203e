package modules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices"
)

const vermagic = release + " SMP mod_unload "

// treeOf returns a tree with these modules. Each is a path and its modinfo; a path that begins with
// ! is that of a built-in module.
func treeOf(t testing.TB, modules ...[]string) *Tree {
	t.Helper()
	tree := &Tree{}
	for _, m := range modules {
		path, builtin := strings.CutPrefix(m[0], "!")
		module := &Module{Name: Name(path), Path: path, Builtin: builtin}
		for _, text := range m[1:] {
			key, value, _ := strings.Cut(text, "=")
			module.Info = append(module.Info, Field{key, value})
		}
		if builtin {
			tree.Builtins = append(tree.Builtins, module)
		} else {
			module.Info = append(module.Info, Field{"vermagic", vermagic})
			tree.Modules = append(tree.Modules, module)
		}
	}
	return tree
}

// someKernel has modules of each relation.
func someKernel(t testing.TB) *Tree {
	return treeOf(t,
		[]string{"kernel/net/core/failover.ko"},
		[]string{"kernel/drivers/net/net_failover.ko", "depends=failover"},
		[]string{"kernel/drivers/net/virtio_net.ko.xz", "depends=net_failover", "alias=virtio:d00000001v*"},
		[]string{"kernel/fs/ext4/ext4.ko", "depends=jbd2", "alias=fs-ext4", "alias=fs-ext3", "softdep=pre: crc32c post: ext4-late"},
		[]string{"kernel/fs/jbd2/jbd2.ko", "weakdep=journal-tool gone"},
		[]string{"kernel/lib/crc32c-intel.ko", "alias=crc32c"},
		[]string{"kernel/lib/crc32c-generic.ko", "alias=crc32c"},
		[]string{"kernel/fs/ext4/ext4_late.ko"},
		[]string{"kernel/fs/journal_tool.ko"},
		[]string{"kernel/drivers/rtc/rtc-a.ko", "alias=of:N*T*Cvendor,rtc-aC*", "alias=of:N*T*Cvendor,rtc-a"},
		[]string{"kernel/drivers/rtc/rtc-b.ko", "alias=of:N*T*Cvendor,rtc-aC*", "softdep=pre: virtio_pci"},
		[]string{"kernel/broken.ko", "depends=nothing"},
		[]string{"kernel/loop_a.ko", "depends=loop_b"},
		[]string{"kernel/loop_b.ko", "depends=loop_c"},
		[]string{"kernel/loop_c.ko", "depends=loop_a"},
		[]string{"!kernel/drivers/virtio/virtio_pci.ko", "alias=pci:v00001AF4d*"},
		[]string{"!kernel/drivers/rtc/rtc-core.ko", "alias=of:N*T*Cvendor,rtc-a"},
		[]string{"!vt"},
	)
}

func names(chosen []Chosen) []string {
	list := []string{}
	for _, m := range chosen {
		list = append(list, m.Name)
	}
	slices.Sort(list)
	return list
}

func TestChoose(t *testing.T) {
	tree := someKernel(t)
	for _, test := range []struct {
		name                               string
		request                            Request
		modules, builtin, excluded, absent []string
	}{
		{"nothing", Request{}, nil, nil, nil, nil},
		{"a name", Request{Words: []string{"virtio-net"}}, []string{"failover", "net_failover", "virtio_net"}, nil, nil, nil},
		{"an alias with softdeps and weakdeps", Request{Words: []string{"fs-ext4"}},
			[]string{"crc32c_generic", "crc32c_intel", "ext4", "ext4_late", "jbd2", "journal_tool"}, nil, nil, []string{"gone"}},
		{"an alias with - for _", Request{Words: []string{"fs_ext3"}, Exclude: []string{"crc32c-intel"}},
			[]string{"crc32c_generic", "ext4", "ext4_late", "jbd2", "journal_tool"}, nil, []string{"crc32c_intel"}, []string{"gone"}},
		{"a pattern of paths", Request{Words: []string{"kernel/drivers/net/**"}}, []string{"failover", "net_failover", "virtio_net"}, nil, nil, nil},
		{"a path without its compression", Request{Words: []string{"/kernel/drivers/net/virtio_net.ko"}}, []string{"failover", "net_failover", "virtio_net"}, nil, nil, nil},
		{"a pattern without what is excluded", Request{Words: []string{"kernel/drivers/net/*"}, Exclude: []string{"virtio_net"}},
			[]string{"failover", "net_failover"}, nil, []string{"virtio_net"}, nil},
		{"an alias of a device", Request{Words: []string{"virtio:d00000001v00001AF4"}}, []string{"failover", "net_failover", "virtio_net"}, nil, nil, nil},
		{"built in, by name", Request{Words: []string{"virtio-pci"}}, nil, []string{"virtio_pci"}, nil, nil},
		{"built in, by alias", Request{Words: []string{"pci:v00001AF4d00001000"}}, nil, []string{"virtio_pci"}, nil, nil},
		{"built in, by path", Request{Words: []string{"kernel/drivers/virtio/*"}}, nil, []string{"virtio_pci"}, nil, nil},
		{"built in, and no module at all", Request{Words: []string{"vt"}}, nil, []string{"vt"}, nil, nil},
		{"devices", Request{Devices: []devices.Device{{Path: "/rtc", Modaliases: []string{"of:NrtcT(null)Cvendor,rtc-a"}}, {Path: "/none", Modaliases: []string{"of:NnoneT(null)Cnone"}}}},
			[]string{"rtc_a"}, []string{"rtc_core"}, nil, nil},
		{"a softdep that is built in", Request{Words: []string{"rtc-b"}}, []string{"rtc_b"}, []string{"virtio_pci"}, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := Choose(tree, test.request)
			if err != nil {
				t.Fatal(err)
			}
			var absent []string
			for _, a := range s.Absent {
				absent = append(absent, a.Word)
			}
			want := [][]string{test.modules, test.builtin, test.excluded, test.absent}
			got := [][]string{names(s.Modules), names(s.Builtin), names(s.Excluded), absent}
			for i := range want {
				if !slices.Equal(want[i], got[i]) {
					t.Error(cmp.Diff(want, got))
					break
				}
			}
			inOrder := slices.IsSortedFunc(s.Modules, func(a, b Chosen) int {
				return slices.Index(tree.Modules, a.Module) - slices.Index(tree.Modules, b.Module)
			})
			if !inOrder {
				t.Error("the modules are not in the order of the tree")
			}
		})
	}
}

func TestReasons(t *testing.T) {
	tree := someKernel(t)
	s, err := Choose(tree, Request{
		Words:   []string{"ext4", "fs-ext4", "ext4"},
		Devices: []devices.Device{{Path: "/rtc@1", Modaliases: []string{"of:Nrtc1T(null)Cvendor,rtc-aCvendor,rtc", "of:Nrtc1T(null)Cvendor,rtc-a"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]Reason{}
	for _, m := range slices.Concat(s.Modules, s.Builtin) {
		got[m.Name] = m.Why
	}
	want := map[string][]Reason{
		"ext4":           {{Asked, "ext4"}, {Asked, "fs-ext4"}},
		"jbd2":           {{Depends, "ext4"}},
		"crc32c_intel":   {{Softdep, "ext4"}},
		"crc32c_generic": {{Softdep, "ext4"}},
		"ext4_late":      {{Softdep, "ext4"}},
		"journal_tool":   {{Weakdep, "jbd2"}},
		"rtc_a":          {{Serves, "/rtc@1"}},
		"rtc_b":          {{Serves, "/rtc@1"}},
		"rtc_core":       {{Serves, "/rtc@1"}},
		"virtio_pci":     {{Softdep, "rtc_b"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if d := s.Devices[0]; !slices.Equal(d.Modules, []string{"rtc_a", "rtc_b"}) || !slices.Equal(d.BuiltIn, []string{"rtc_core"}) {
		t.Errorf("device: %+v", d)
	}
}

func TestChooseErrors(t *testing.T) {
	tree := someKernel(t)
	texts := map[string]string{}
	for _, test := range []struct {
		name    string
		request Request
		want    error
	}{
		{"a name", Request{Words: []string{"virtio-nte"}}, ErrUnknown},
		{"a name like no other", Request{Words: []string{"zzzzzzzz"}}, ErrUnknown},
		{"an alias", Request{Words: []string{"fs-ext5"}}, ErrUnknown},
		{"an alias of a device", Request{Words: []string{"pci:v00008086d0000"}}, ErrUnknown},
		{"an alias with half a set", Request{Words: []string{"pci:v[0"}}, ErrUnknown},
		{"a pattern of names", Request{Words: []string{"virtio_*"}}, ErrUnknown},
		{"a pattern of paths", Request{Words: []string{"kernel/drivers/nvme/**"}}, ErrUnknown},
		{"a directory", Request{Words: []string{"kernel/drivers/net"}}, ErrUnknown},
		{"a path of another directory", Request{Words: []string{"drivers/net/virtio_net.ko"}}, ErrUnknown},
		{"a path of another directory, built in", Request{Words: []string{"drivers/virtio_pci.ko"}}, ErrUnknown},
		{"a file", Request{Words: []string{"virtio_net.ko.xz"}}, ErrUnknown},
		{"an unknown exclusion", Request{Exclude: []string{"virtio-nte"}}, ErrUnknown},
		{"a dependency that is not there", Request{Words: []string{"broken"}}, ErrUnknown},
		{"an excluded dependency", Request{Words: []string{"virtio_net"}, Exclude: []string{"net-failover"}}, ErrExcluded},
		{"an excluded dependency of a dependency", Request{Words: []string{"virtio_net"}, Exclude: []string{"failover"}}, ErrExcluded},
		{"asked for and excluded", Request{Words: []string{"ext4"}, Exclude: []string{"ext4"}}, ErrExcluded},
		{"a cycle", Request{Words: []string{"loop_b"}}, ErrCycle},
		{"several", Request{Words: []string{"ext5", "virtio_net", "loop_a"}, Exclude: []string{"failover"}}, ErrUnknown},
	} {
		s, err := Choose(tree, test.request)
		if s != nil || !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
			continue
		}
		texts[test.name] = err.Error()
	}
	golden.Section(t, "messages.txt", texts)
}

// A chain of thousands of modules neither overflows the stack nor takes long.
func TestLongChain(t *testing.T) {
	const n = 20000
	var chain [][]string
	for i := range n {
		chain = append(chain, []string{fmt.Sprintf("kernel/m%d.ko", i), fmt.Sprintf("depends=m%d", min(i+1, n-1))})
	}
	chain[n-1] = chain[n-1][:1]
	tree := treeOf(t, chain...)
	s, err := Choose(tree, Request{Words: []string{"m0"}})
	if err != nil || len(s.Modules) != n {
		t.Errorf("%d modules, %v", len(s.Modules), err)
	}
}

// The order of what is asked for does not matter.
func TestOrderOfWords(t *testing.T) {
	tree := someKernel(t)
	words := []string{"ext4", "virtio_net", "rtc-b", "virtio_pci"}
	first, err := Choose(tree, Request{Words: words})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(words)
	second, err := Choose(tree, Request{Words: words})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Error(diff)
	}
}
