// Command noise prints BYTES bytes that do not compress. SEED, a number, determines them.
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "noise:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 3 {
		return fmt.Errorf("usage: noise SEED BYTES")
	}
	seed, err := strconv.ParseUint(os.Args[1], 10, 64)
	if err != nil {
		return err
	}
	size, err := strconv.ParseInt(os.Args[2], 10, 64)
	if err != nil {
		return err
	}
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	out := bufio.NewWriter(os.Stdout)
	if _, err := io.CopyN(out, rand.NewChaCha8(key), size); err != nil {
		return err
	}
	return out.Flush()
}
