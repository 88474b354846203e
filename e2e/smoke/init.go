// Init says that it runs, and stays.
package main

import "fmt"

func main() {
	fmt.Println("Hello from /init")
	select {}
}
