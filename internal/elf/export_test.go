package elf

// For the tests of package elf_test, which use package elftest.
var (
	ReadObject = readObject
	IsObject   = isObject
)

const (
	ErrNotObject = errNotObject
	MaxMemory    = maxMemory
	MaxNeeded    = maxNeeded
	MaxPath      = maxPath
	MaxVersions  = maxVersions
	MaxNotes     = maxNotes
	MaxNoteBytes = maxNoteBytes
)

// Archs returns all known architectures.
func Archs() []Arch {
	var all []Arch
	for _, row := range archs {
		all = append(all, row.Arch)
	}
	return all
}
