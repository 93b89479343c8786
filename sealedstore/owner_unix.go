//go:build unix

package sealedstore

import (
	"os"
	"syscall"
)

// keepOwner gives the file to the owner of the one before it: root may change a
// file that a service reads.
func keepOwner(file *os.File, before os.FileInfo) error {
	was, ok := before.Sys().(*syscall.Stat_t)
	if !ok || int(was.Uid) == os.Geteuid() {
		return nil
	}
	return file.Chown(int(was.Uid), int(was.Gid))
}
