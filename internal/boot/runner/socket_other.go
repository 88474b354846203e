//go:build !unix

package runner

import (
	"errors"
	"os"
)

func socketPair() (one, other *os.File, err error) {
	return nil, nil, errors.New("a TPM needs sockets that this system does not have")
}
