//go:build !unix

package source

// sysStat has the fields that directories are packed with. No FileInfo of this system has
// them, so a directory is an error here; lists and archives are packed as everywhere.
type sysStat struct {
	Mode, Uid, Gid        uint32
	Nlink, Dev, Ino, Rdev uint64
}
