// App says what it was started with, and exits with 3.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Printf("app: arguments %q, GREETING=%q, PATH set %t\n",
		os.Args[1:], os.Getenv("GREETING"), os.Getenv("PATH") != "")
	for _, dir := range []string{"/proc/self", "/sys/kernel", "/dev/console", "/dev/fd/1", "/dev/stdout", "/dev/shm", "/tmp", "/run"} {
		if _, err := os.Stat(dir); err != nil {
			fmt.Println("app:", err)
		}
	}
	if err := os.WriteFile("/tmp/file", []byte("text"), 0o600); err != nil {
		fmt.Println("app:", err)
	}
	if text, err := os.ReadFile("/proc/uptime"); err == nil {
		fmt.Printf("app: uptime %s", text)
	}
	os.Exit(3)
}
