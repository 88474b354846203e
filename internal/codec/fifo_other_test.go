//go:build !unix

package codec

import "errors"

func makeFIFO(string) error { return errors.ErrUnsupported }
