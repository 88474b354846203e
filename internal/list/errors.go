package list

import "errors"

// MaxErrors is how many errors of lists and archives are reported.
const MaxErrors = 20

// Errors collects errors, MaxErrors of them.
type Errors struct{ all []error }

// Add adds an error that is not nil, and reports whether there is room for more.
func (x *Errors) Add(err error) bool {
	switch {
	case err == nil:
	case len(x.all) < MaxErrors:
		x.all = append(x.all, err)
	case len(x.all) == MaxErrors:
		x.all = append(x.all, errors.New("too many errors: the rest is left out"))
	}
	return len(x.all) <= MaxErrors
}

// Err returns the errors as one, or nil.
func (x *Errors) Err() error { return errors.Join(x.all...) }
