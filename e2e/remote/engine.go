package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// An engine is a server on loopback, which ends with this process.
type engine struct {
	name string
	port int
	cmd  *exec.Cmd
	out  bytes.Buffer // what it printed; read it only after done is closed
	done chan struct{}
}

// start starts a server.
func start(name string, command ...string) (*engine, error) {
	e := &engine{name: name, cmd: exec.Command(command[0], command[1:]...), done: make(chan struct{})}
	e.cmd.Stdout, e.cmd.Stderr = &e.out, &e.out
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := e.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		e.cmd.Wait() // the error is that it was killed
		close(e.done)
	}()
	return e, nil
}

// kill ends it at once.
func (e *engine) kill() {
	e.cmd.Process.Kill()
	<-e.done
}

// wait waits at most 20 seconds until isReady reports that it serves.
func (e *engine) wait(isReady func() bool) error {
	for range 200 {
		if isReady() {
			return nil
		}
		select {
		case <-e.done:
			return fmt.Errorf("%s ended at its start: %s", e.name, e.out.Bytes())
		case <-time.After(100 * time.Millisecond):
		}
	}
	e.kill()
	return fmt.Errorf("%s is not ready after 20 s: %s", e.name, e.out.Bytes())
}

// workerScript starts a worker in its own namespaces. $1 is its root, $2 a mount option for a file
// system in memory to work on (or empty), $3 the directory to work in, $4 its info file.
const workerScript = `
mount --rbind /dev "$1/dev"
mount --bind "$3" "$1/mnt"
[ -z "$2" ] || mount -t tmpfs -o "$2" tmpfs "$1/mnt"
mount -t tmpfs tmpfs "$1/tmp"
mount -t proc proc "$1/proc"
cd /
exec chroot "$1" /usr/bin/env -i justbuild execute --compatible --local-build-root /mnt/build \
  --interface 127.0.0.1 --info-file "/run/$4" --log-limit 3
`

// startWorker starts the execution service of justbuild in the worker's root. It keeps its files
// in dir or, with a mount option such as size=8m, in a file system in memory.
func (s *session) startWorker(dir, option string) (*engine, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	// Several workers share the root.
	info := fmt.Sprintf("justbuild.%d.json", time.Now().UnixNano())
	file := filepath.Join(s.worker, "run", info)
	defer os.Remove(file)
	e, err := start("justbuild", "unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child",
		"sh", "-eu", "-c", workerScript, "sh", s.worker, option, dir, info)
	if err != nil {
		return nil, err
	}
	err = e.wait(func() bool {
		var written struct{ Port int }
		content, err := os.ReadFile(file)
		if err != nil || json.Unmarshal(content, &written) != nil {
			return false
		}
		e.port = written.Port
		return true
	})
	return e, err
}

const nginxConfig = `
daemon off;
master_process off;
pid DIR/pid;
error_log stderr;
events {}
http {
  log_format requests '$request_method $uri $status $content_length $body_bytes_sent';
  access_log DIR/access.log requests;
  client_body_temp_path DIR/body;
  proxy_temp_path DIR/proxy;
  fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi;
  scgi_temp_path DIR/scgi;
  client_max_body_size 0;
  server {
    listen 127.0.0.1:PORT;
    location /cache/ {
      root DIR;
      dav_methods PUT;
      create_full_put_path on;
      FALLBACK
    }
    location @disk {
      rewrite ^/cache/(ac|cas)/((..).*)$ /$1/$3/$2 break;
      root DISK;
    }
  }
}
`

// A cache is nginx.
type cache struct {
	*engine
	dir  string // the directory cache in it has the uploads
	read int64  // what traffic has read of the access log, in bytes
}

// startCache starts a cache with its files in dir. If disk is not "", it also serves the files of
// disk, a disk cache of Bazel.
func startCache(dir, disk string) (*cache, error) {
	if err := os.MkdirAll(filepath.Join(dir, "cache"), 0o755); err != nil {
		return nil, err
	}
	fallback := "error_page 404 = @disk;"
	if disk == "" {
		fallback, disk = "", "/nonexistent"
	}
	// nginx cannot choose a free port. Another process may take this one in the meantime.
	for tries := 0; ; tries++ {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		port := listener.Addr().(*net.TCPAddr).Port
		listener.Close()
		config := strings.NewReplacer("DIR", dir, "PORT", fmt.Sprint(port), "DISK", disk, "FALLBACK", fallback).Replace(nginxConfig)
		file := filepath.Join(dir, "nginx.conf")
		if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
			return nil, err
		}
		e, err := start("nginx", "nginx", "-p", dir, "-e", "stderr", "-c", file)
		if err != nil {
			return nil, err
		}
		e.port = port
		err = e.wait(func() bool {
			conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err == nil {
				conn.Close()
			}
			return err == nil
		})
		if err == nil || tries == 5 {
			return &cache{engine: e, dir: dir}, err
		}
	}
}

// url returns the value for --remote_cache.
func (c *cache) url() string { return fmt.Sprintf("http://127.0.0.1:%d/cache", c.port) }

// traffic is the sum of a part of nginx's access log.
type traffic struct {
	puts     int
	up, down int64
}

// traffic returns the traffic since it was last called.
func (c *cache) traffic() (t traffic, err error) {
	content, err := os.ReadFile(filepath.Join(c.dir, "access.log"))
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return t, err
	}
	for line := range strings.Lines(string(content[c.read:])) {
		var method, uri, length string
		var status int
		var sent int64
		if _, err := fmt.Sscan(line, &method, &uri, &status, &length, &sent); err != nil {
			return t, fmt.Errorf("access log: %q: %w", line, err)
		}
		switch {
		case method == "PUT" && status < 300:
			var received int64
			fmt.Sscan(length, &received) // "-" for none
			t.puts, t.up = t.puts+1, t.up+received
		case method == "GET" && status == 200:
			t.down += sent
		case method == "GET" && status == 404:
		default:
			return t, fmt.Errorf("nginx refused: %s", line)
		}
	}
	c.read = int64(len(content))
	return t, nil
}
