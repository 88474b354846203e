package system

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestLinkDevices(t *testing.T) {
	dev := t.TempDir()
	if err := os.WriteFile(dev+"/ptmx", nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := linkDevices(dev); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range deviceLinks {
		target, err := os.Readlink(dev + "/" + link.name)
		if link.name == "ptmx" {
			if err == nil {
				t.Error("the node ptmx was replaced")
			}
		} else if target != link.target {
			t.Errorf("%s: %q, want %q, error %v", link.name, target, link.target, err)
		}
	}
	if err := linkDevices(dev + "/none"); err == nil || !strings.Contains(err.Error(), dev) {
		t.Errorf("error %v, want one that names the directory", err)
	}
}

// TestStartLoopback runs itself in a network namespace, where the interface is down.
func TestStartLoopback(t *testing.T) {
	if os.Getenv("START_LOOPBACK") != "" {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := net.Dial("tcp", listener.Addr().String()); err == nil {
			t.Error("the loopback interface works before it is up")
		}
		for range 2 {
			if err := StartLoopback(); err != nil {
				t.Error(err)
			}
		}
		if _, err := net.Dial("tcp", listener.Addr().String()); err != nil {
			t.Error(err)
		}
		return
	}
	runInNamespaces(t, syscall.CLONE_NEWNET, "START_LOOPBACK=1")
}
