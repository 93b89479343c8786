package sealedstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/coatcheck/coatcheck"
)

// maxFileBytes is far above any keyring's, and below what harms.
const maxFileBytes = 1 << 20

// ReadKeyring reads a file as [ParseKeyring] does. It refuses one that anybody
// but its owner may read or write, except on Windows.
func ReadKeyring(path string) (*Keyring, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("sealedstore: keyring: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("sealedstore: keyring: %w", err)
	case info.IsDir():
		return nil, fmt.Errorf("sealedstore: %w: keyring: %s is a folder", coatcheck.ErrInvalid, path)
	case info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows":
		return nil, fmt.Errorf("sealedstore: %w: keyring: other users of this machine have access to the keys: chmod 600 %s", coatcheck.ErrInvalid, quoted(path))
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("sealedstore: keyring: %w", err)
	case len(text) > maxFileBytes:
		return nil, fmt.Errorf("sealedstore: %w: keyring: %s has more than %d bytes: it is something else", coatcheck.ErrInvalid, path, maxFileBytes)
	}
	keys, err := ParseKeyring(string(text))
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", err, path)
	}
	return keys, nil
}

// quoted is for a shell.
func quoted(path string) string { return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'" }

// WriteNew writes the keyring into a file that only its owner can read. If
// there is one, it stays as it is, and the error wraps [os.ErrExist].
func (k Keyring) WriteNew(path string) error {
	if k.held == nil {
		return errNoKeys
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("sealedstore: keyring: %w", err)
	}
	if err := k.fill(file); err != nil {
		return fmt.Errorf("sealedstore: keyring: %w", errors.Join(err, os.Remove(path)))
	}
	return syncFolder(path)
}

// Replace writes the keyring in place of the one in a file, at once or not at
// all, whatever happens to the machine. The file keeps its owner, and only the
// owner can read it.
func (k Keyring) Replace(path string) error {
	if k.held == nil {
		return errNoKeys
	}
	path, err := filepath.EvalSymlinks(path) // a link stays one
	if err != nil {
		return fmt.Errorf("sealedstore: keyring: %w", err)
	}
	before, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("sealedstore: keyring: %w", err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // which only the owner can read
	if err != nil {
		return fmt.Errorf("sealedstore: keyring: %w", err)
	}
	err = errors.Join(keepOwner(file, before), k.fill(file))
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("sealedstore: keyring: %w", errors.Join(err, os.Remove(file.Name())))
	}
	return syncFolder(path)
}

var errNoKeys = fmt.Errorf("sealedstore: %w: there is no key in the keyring", coatcheck.ErrInvalid)

// fill writes the keyring to the disk, and closes the file in any case.
func (k Keyring) fill(file *os.File) error {
	_, err := file.WriteString(k.text())
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// syncFolder has the name of a file survive a power cut, too.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" { // which cannot
		return nil
	}
	folder, err := os.Open(filepath.Dir(path))
	if err == nil {
		err = errors.Join(folder.Sync(), folder.Close())
	}
	if err != nil {
		return fmt.Errorf("sealedstore: keyring: it is written, but may not survive a power cut: %w", err)
	}
	return nil
}
