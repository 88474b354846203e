package main

import "github.com/rules-initramfs/rules_initramfs/internal/cpio"

// fileType is a type of file: its letter in a listing, its word in a list and its name in
// messages.
type fileType struct {
	letter     byte
	word, name string
}

var fileTypes = map[uint32]fileType{
	cpio.TypeRegular: {'-', "file", "file"},
	cpio.TypeDir:     {'d', "dir", "directory"},
	cpio.TypeSymlink: {'l', "slink", "symbolic link"},
	cpio.TypeChar:    {'c', "nod", "character device"},
	cpio.TypeBlock:   {'b', "nod", "block device"},
	cpio.TypePipe:    {'p', "pipe", "pipe"},
	cpio.TypeSocket:  {'s', "sock", "socket"},
}
