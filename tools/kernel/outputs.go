package main

import (
	"errors"
	"os"

	"github.com/rules-initramfs/rules_initramfs/tools/kernel/kbuild"
)

// output is a file of the build folder that is a result, and the name it gets; none if that
// is empty.
type output struct{ name, from string }

// copyOutputs copies results; after an error there are none.
func copyOutputs(build *kbuild.Build, outputs []output) (err error) {
	defer func() {
		if err == nil {
			return
		}
		for _, o := range outputs {
			if o.name != "" {
				os.Remove(o.name)
			}
		}
	}()
	for _, o := range outputs {
		if o.name == "" {
			continue
		}
		if copyErr := build.CopyTo(o.name, o.from); copyErr != nil {
			return errors.Join(copyErr, err)
		}
	}
	return nil
}
