// App greets whom the environment names.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	greeting := flag.String("greeting", "good day", "what to say")
	flag.Parse()
	fmt.Printf("%s, %s\n", *greeting, os.Getenv("WHO"))
}
