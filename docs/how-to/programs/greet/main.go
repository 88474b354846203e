// Greet prints one of its runfiles.
package main

import (
	"fmt"
	"os"

	"github.com/bazelbuild/rules_go/go/runfiles"
)

func main() {
	name, err := runfiles.Rlocation("_main/docs/how-to/programs/greeting.txt")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	text, err := os.ReadFile(name)
	fmt.Println(string(text), err)
}
