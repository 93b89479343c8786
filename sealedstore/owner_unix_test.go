//go:build unix

package sealedstore

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestReplaceKeepsTheOwner: root may change a file that a service reads, as a
// user of its own. For who is not root, the owner is the same in any case.
func TestReplaceKeepsTheOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyring")
	k := NewKeyring()
	if err := k.WriteNew(path); err != nil {
		t.Fatal(err)
	}
	uid, gid := os.Geteuid(), os.Getegid()
	if uid == 0 {
		uid, gid = 12345, 23456
		if err := os.Chown(path, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Replace(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if is := info.Sys().(*syscall.Stat_t); int(is.Uid) != uid || int(is.Gid) != gid {
		t.Errorf("the file belongs to %d:%d, want %d:%d", is.Uid, is.Gid, uid, gid)
	}
	wantPrivate(t, path)
}
