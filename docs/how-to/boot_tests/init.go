// Init asks who is there, and says with a number whether it knows them.
package main

import (
	"fmt"
	"syscall"
)

func main() {
	fmt.Print("Who is there? ")
	var name string
	fmt.Scanln(&name)
	fmt.Printf("Hello, %s.\n", name)
	status := 0
	if name != "Ada" {
		status = 1
	}
	fmt.Println("tests ended with", status)
	if err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("cannot power off:", err)
	}
}
