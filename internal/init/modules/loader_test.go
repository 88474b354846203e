package modules

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/init/settings"
)

// A kernel is what a Loader of a test loads into.
type kernel struct {
	mu     sync.Mutex
	events []string          // begin NAME, end NAME
	params map[string]string // by the name of the file
	errs   map[string]error
	meet   *sync.WaitGroup // if set, each module waits until all have begun
}

func (k *kernel) insert(file, parameters string) error {
	name := strings.TrimSuffix(filepath.Base(file), ".ko")
	k.mu.Lock()
	k.events = append(k.events, "begin "+name)
	k.params[name] = parameters
	k.mu.Unlock()
	if k.meet != nil {
		k.meet.Done()
		k.meet.Wait()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.events = append(k.events, "end "+name)
	return k.errs[name]
}

// before reports whether the module a was loaded before b was begun.
func (k *kernel) before(a, b string) bool {
	end, begin := slices.Index(k.events, "end "+a), slices.Index(k.events, "begin "+b)
	return end >= 0 && begin >= 0 && end < begin
}

// testDir has modules whose names say what they are.
func testDir(t *testing.T, dep string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"modules.dep": dep,
		"modules.alias": `alias pci:v00001AF4d00001000* virtio_net
alias fs-jbd2 jbd2
alias crypto-crc32c crc32c
alias pci:v00008086* noisy
alias pci:v00008086* quiet
alias pci:v00008086* after
`,
		"modules.softdep": `softdep jbd2 pre: crypto-crc32c missing-one post: after
softdep x pre: y
softdep y pre: x
softdep y post: x
`,
		"modules.builtin": "kernel/fs/ext4/ext4.ko\n",
	} {
		if text == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const dep = `virtio_net.ko: net_failover.ko failover.ko
net_failover.ko: failover.ko
failover.ko:
jbd2.ko:
crc32c.ko:
after.ko:
x.ko:
y.ko:
noisy.ko:
quiet.ko:
first.ko: second.ko
second.ko: first.ko
`

func testLoader(t *testing.T, dir string) (*Loader, *kernel) {
	t.Helper()
	l, err := newLoader(dir, NewConfig())
	if err != nil {
		t.Fatal(err)
	}
	k := &kernel{params: map[string]string{}, errs: map[string]error{}}
	l.insert = k.insert
	l.has = func(string) bool { return false }
	return l, k
}

func TestLoadWithDependencies(t *testing.T) {
	l, k := testLoader(t, testDir(t, dep))
	l.config.AddParameters("net-failover", "a=1")
	if err := l.Load([]string{"virtio-net", "fs-jbd2", "ext4"}); err != nil {
		t.Fatal(err)
	}
	for _, order := range [][2]string{{"failover", "net_failover"}, {"net_failover", "virtio_net"}, {"crc32c", "jbd2"}, {"jbd2", "after"}} {
		if !k.before(order[0], order[1]) {
			t.Errorf("%s was not loaded before %s: %q", order[0], order[1], k.events)
		}
	}
	want := map[string]string{"virtio_net": "", "net_failover": "a=1", "failover": "", "jbd2": "", "crc32c": "", "after": ""}
	if diff := cmp.Diff(want, k.params); diff != "" {
		t.Errorf("modules and parameters (-want +got):\n%s", diff)
	}
	names := []string{"after", "crc32c", "failover", "jbd2", "net_failover", "virtio_net"}
	if got := l.Loaded(); !slices.Equal(got, names) {
		t.Errorf("loaded %q, want %q", got, names)
	}
	if err := l.Load([]string{"virtio_net"}); err != nil || len(l.Loaded()) > 0 || len(k.events) != 2*len(names) {
		t.Errorf("a module was loaded twice: %q, error %v", k.events, err)
	}
}

// TestParallel would not end if modules that do not need each other were loaded one after
// another.
func TestParallel(t *testing.T) {
	l, k := testLoader(t, testDir(t, dep))
	k.meet = &sync.WaitGroup{}
	k.meet.Add(3)
	if err := l.Load([]string{"crc32c", "noisy", "quiet"}); err != nil {
		t.Fatal(err)
	}
}

// TestCircles would not end if modules waited for each other.
func TestCircles(t *testing.T) {
	l, k := testLoader(t, testDir(t, dep))
	if err := l.Load([]string{"x", "first", "y"}); err != nil {
		t.Fatal(err)
	}
	if len(k.events) != 8 {
		t.Errorf("want four modules: %q", k.events)
	}
}

// TestNoIndex loads in order, because nothing says what a module needs.
func TestNoIndex(t *testing.T) {
	dir := testDir(t, "")
	var names []string
	for i := range 20 {
		name := fmt.Sprintf("m%02d", 19-i)
		names = append(names, name)
		if err := os.WriteFile(filepath.Join(dir, name+".ko"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, k := testLoader(t, dir)
	if err := l.Load(names); err != nil {
		t.Fatal(err)
	}
	for i := range names[1:] {
		if !k.before(names[i], names[i+1]) {
			t.Fatalf("%q, want the order %q", k.events, names)
		}
	}
}

func TestServe(t *testing.T) {
	l, k := testLoader(t, testDir(t, dep))
	l.config.Block("quiet")
	l.config.Block("failover") // needed by another
	var mu sync.Mutex
	var reports []string
	l.report = func(err error) {
		mu.Lock()
		defer mu.Unlock()
		reports = append(reports, err.Error())
	}
	k.errs["noisy"], k.errs["after"] = unix.EINVAL, unix.ENODEV
	for _, modalias := range []string{"pci:v00008086d1", "pci:v00001AF4d00001000sv1", "pci:v00001AF4d00001000sv2", "pci:v0000FFFFd1", "pci:v00008086d2"} {
		if err := l.Serve(modalias); err != nil {
			t.Fatal(err)
		}
	}
	l.Wait()
	if got, want := l.Loaded(), []string{"failover", "net_failover", "virtio_net"}; !slices.Equal(got, want) {
		t.Errorf("loaded %q, want %q", got, want)
	}
	if len(reports) != 1 || !strings.Contains(reports[0], "module noisy: ") {
		t.Errorf("reports %q, want one of noisy", reports)
	}
	// A name loads what is blocked.
	if err := l.Load([]string{"quiet"}); err != nil || !slices.Equal(l.Loaded(), []string{"quiet"}) {
		t.Errorf("error %v, want that quiet was loaded", err)
	}
}

func TestRequest(t *testing.T) {
	l, k := testLoader(t, testDir(t, dep))
	for _, name := range []string{"fs-jbd2", "fs-ext4", "net-pf-99", "crc32c"} {
		if err := l.Request(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	l.Wait()
	if got, want := l.Loaded(), []string{"after", "crc32c", "jbd2"}; !slices.Equal(got, want) {
		t.Errorf("loaded %q, want %q", got, want)
	}
	k.errs["noisy"] = unix.ENODEV
	if err := l.Request("noisy"); !errors.Is(err, unix.ENODEV) {
		t.Errorf("error %v, want %v", err, unix.ENODEV)
	}
}

func TestLoadFails(t *testing.T) {
	dir := testDir(t, dep)
	l, k := testLoader(t, dir)
	messages := map[string]string{}
	err := l.Load([]string{"failover", "virtio_nte", "nothing-like-it"})
	if !errors.Is(err, ErrUnknown) || len(k.events) > 0 {
		t.Errorf("error %v, want that a module is unknown and none is loaded: %q", err, k.events)
	} else {
		messages["unknown"] = strings.ReplaceAll(err.Error(), dir, "DIR")
	}
	parent := t.TempDir()
	for _, release := range []string{"6.1.0", "7.2.12"} {
		if err := os.MkdirAll(filepath.Join(parent, release), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	other, _ := testLoader(t, filepath.Join(parent, "6.12"))
	if err := other.Load([]string{"loop"}); !errors.Is(err, ErrUnknown) {
		t.Errorf("error %v, want that a module is unknown", err)
	} else {
		messages["another kernel"] = strings.ReplaceAll(err.Error(), parent, "DIR")
	}
	k.errs = map[string]error{"failover": unix.ENOEXEC, "noisy": unix.EEXIST}
	err = l.Load([]string{"virtio_net", "noisy", "quiet"})
	if errors.Is(err, ErrUnknown) || err == nil {
		t.Errorf("error %v, want one of a module that is known", err)
	} else {
		messages["needed"] = strings.ReplaceAll(err.Error(), dir, "DIR")
	}
	if got, want := l.Loaded(), []string{"quiet"}; !slices.Equal(got, want) {
		t.Errorf("loaded %q, want %q", got, want)
	}
	if err = l.Load([]string{"/none/a.ko"}); err != nil { // this kernel takes all
		t.Error(err)
	}
	if err = l.Load([]string{"/none/a.txt"}); err == nil {
		t.Error("a file that is not a module was loaded")
	} else {
		messages["not a module"] = err.Error()
	}
	l.insert = insert
	if err = l.Load([]string{"/none/b.ko"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want %v", err, os.ErrNotExist)
	} else {
		messages["no file"] = err.Error()
	}
	for _, errno := range []error{unix.ENOSYS, unix.ENOENT, unix.ENOEXEC, unix.EKEYREJECTED, unix.ENOKEY, unix.EBADMSG, unix.EPERM} {
		messages[errno.Error()] = hint(errno)
	}
	golden.Messages(t, "messages.txt", messages)
}

func TestConfig(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"etc/modprobe.d/a.conf":     "# all\noptions loop max_loop=8 \\\n  max_part=1\nblack\\\nlist pcspkr\nalias char-major-7-* loop\n# not \\\nblacklist commented\n",
		"usr/lib/modprobe.d/a.conf": "blacklist shadowed\n",
		"lib/modprobe.d/z.conf":     "options loop max_loop=\\9\ninstall usb-storage /bin/false\nsoftdep a-b pre: c\nremove d true\nblacklist last\\\n",
		"lib/modprobe.d/z.txt":      "blacklist none\n",
		"run/modprobe.d/b.conf":     "blacklist\n\nuse x\nsoftdep y\nalias z\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := NewConfig()
	errs := c.ReadFiles(root)
	if len(errs) != 4 || !errors.Is(errs[0], errDirective) || !strings.HasPrefix(errs[1].Error(), root+"/run/modprobe.d/b.conf:3: ") {
		t.Errorf("errors %q, want four of run/modprobe.d/b.conf", errs)
	}
	c.Override(settings.Params(`quiet loop.max_loop=10 modprobe.blacklist=one,two-2 module-blacklist=three virtio-net.mode="a b" usb_storage.quirks init.autoload=1 a.b.c=1 .x=1 root=/dev/vda`))
	if got, want := c.Parameters("loop"), "max_loop=8   max_part=1 max_loop=9 max_loop=10"; got != want {
		t.Errorf("parameters %q, want %q", got, want)
	}
	for module, want := range map[string]string{"virtio_net": `mode="a b"`, "usb-storage": "quirks", "init": "", "a": "", "": ""} {
		if got := c.Parameters(module); got != want {
			t.Errorf("%s: parameters %q, want %q", module, got, want)
		}
	}
	want := map[string]bool{"pcspkr": true, "last": true, "usb_storage": true, "one": true, "two_2": true, "three": true}
	if diff := cmp.Diff(want, c.blocked); diff != "" {
		t.Errorf("blocked (-want +got):\n%s", diff)
	}
	if got := c.softdeps["a_b"].Pre; !slices.Equal(got, []string{"c"}) {
		t.Errorf("soft dependencies %q", got)
	}
	if got := c.aliases.Match("char-major-7-0"); !slices.Equal(got, []string{"loop"}) {
		t.Errorf("modules of an alias: %q", got)
	}
}

// FuzzConfig checks that any file is read or refused.
func FuzzConfig(f *testing.F) {
	f.Add("options loop max_loop=8 \\\n max_part=1\nblacklist a\n", "loop.a=1 modprobe.blacklist=x")
	f.Add("softdep a pre: b\nalias c d\ninstall e f", "a.b")
	f.Fuzz(func(t *testing.T, text, line string) {
		c := NewConfig()
		c.parse("fuzz", text)
		c.Override(settings.Params(line))
		for name := range c.parameters {
			c.Parameters(name)
		}
		c.aliases.Match(text)
	})
}
