package main

import (
	"strings"
	"testing"
)

func TestSize(t *testing.T) {
	dir := t.TempDir()
	image := write(t, dir+"/image", strings.Repeat("x", 100))
	entries := write(t, dir+"/entries", `{"name":"bin","type":"dir","size":0}
{"name":"bin/a","type":"file","size":0}
{"name":"bin/link","type":"file","size":40,"origin":"//base:layer"}
{"name":"bin/b","type":"file","size":60,"origin":"//app:layer"}
{"name":"bin/s","type":"slink","size":9,"target":"whatever"}
`)
	for _, test := range []struct {
		name   string
		max    int64
		byGlob map[string]int64
		ok     bool
		out    string
	}{
		{"kept", 100, map[string]int64{"/bin/*": 100, "/bin/b": 60}, true,
			"the image: 100 of 100 bytes\n/bin/*: 100 of 100 bytes\n/bin/b: 60 of 60 bytes\n"},
		{"no limit", -1, nil, true, ""},
		{"the image", 99, nil, false, "FAIL: the image: 100 bytes, 1 over the budget of 99; the largest files, before compression:\n" +
			"          60  /bin/b  (//app:layer)\n          40  /bin/link  (//base:layer)\n"},
		{"a glob", -1, map[string]int64{"/bin/l*": 39}, false, "FAIL: /bin/l*: 40 bytes, 1 over the budget of 39; the largest files, before compression:\n" +
			"          40  /bin/link  (//base:layer)\n"},
		{"nothing", -1, map[string]int64{"/sbin/*": 1}, false, "FAIL: /sbin/* matches no file of the image\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			ok, err := (&sizeTest{Image: image, Entries: entries, MaxBytes: test.max, MaxByGlob: test.byGlob}).run(&out, same)
			if err != nil || ok != test.ok || out.String() != test.out {
				t.Errorf("got %v, %v\n%s\nwant %v\n%s", ok, err, out.String(), test.ok, test.out)
			}
		})
	}
}
