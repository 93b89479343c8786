package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/coatcheck/coatcheck/sealedstore"
)

// keysCommand makes and changes the file of keys that values are sealed with.
// Nothing but the file ever shows a key.
type keysCommand struct {
	New     newKeysCommand    `cmd:"" help:"Make a file with one new key. A file that exists is left alone."`
	List    listKeysCommand   `cmd:"" help:"Print names and dates of the keys, but no key."`
	Add     addKeyCommand     `cmd:"" help:"Add a new key at the end: it opens values, and seals none before it is promoted. Bring the file to every machine first."`
	Promote promoteKeyCommand `cmd:"" help:"Put a key first: it seals values from the next start on. Every machine must have it by then."`
	Retire  retireKeyCommand  `cmd:"" help:"Remove a key that is not the first. Sessions whose values it has sealed can no longer be read: wait until the longest absolute timeout has passed since the last machine has sealed with it."`
}

// keyFile is the argument that all of them take.
type keyFile struct {
	File string `arg:"" help:"The keyring file."`
}

// namedKey is that of those that are about one key.
type namedKey struct {
	ID string `arg:"" help:"Name of the key, as list prints it."`
}

func (n namedKey) id() (sealedstore.KeyID, error) {
	id, err := sealedstore.ParseKeyID(n.ID)
	if err != nil { // not repeated: it may be a key, misplaced
		return 0, fmt.Errorf("ID: want the name of a key, 8 hexadecimal digits, as coatcheck keys list prints it")
	}
	return id, nil
}

type newKeysCommand struct{ keyFile }

// Run makes the file.
func (c *newKeysCommand) Run(std streams) error {
	keys := sealedstore.NewKeyring()
	if err := keys.WriteNew(c.File); err != nil {
		return inWords(err)
	}
	_, err := fmt.Fprintf(std.out, "made %s with key %v\nKeep a copy where secrets are kept: without it the sessions are lost.\nuse it: coatcheck serve --keyring-file %s\n",
		c.File, keys.Keys()[0].ID, c.File)
	return err
}

type listKeysCommand struct{ keyFile }

// Run prints what may be known of the keys.
func (c *listKeysCommand) Run(std streams) error {
	keys, err := sealedstore.ReadKeyring(c.File)
	if err != nil {
		return inWords(err)
	}
	does := "seals and opens"
	for _, key := range keys.Keys() {
		if _, err := fmt.Fprintf(std.out, "%v  %s  %s\n", key.ID, key.Created.Format(time.DateOnly), does); err != nil {
			return err
		}
		does = "opens"
	}
	return nil
}

type addKeyCommand struct{ keyFile }

// Run adds a key.
func (c *addKeyCommand) Run(std streams) error {
	var added sealedstore.KeyID
	err := c.change(func(keys *sealedstore.Keyring) (*sealedstore.Keyring, error) {
		keys, added = keys.Add()
		return keys, nil
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "added key %v, which does not seal yet\nBring the file to every machine and restart each; then: coatcheck keys promote %s %v\n", added, c.File, added)
	return err
}

type promoteKeyCommand struct {
	keyFile
	namedKey
}

// Run puts the key first.
func (c *promoteKeyCommand) Run(std streams) error {
	id, err := c.id()
	if err != nil {
		return err
	}
	err = c.change(func(keys *sealedstore.Keyring) (*sealedstore.Keyring, error) { return keys.Promote(id) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "key %v is the first: it seals where the service is started with this file\nBring the file to every machine and restart each. Those must have been started with this key in their file before.\n", id)
	return err
}

type retireKeyCommand struct {
	keyFile
	namedKey
}

// Run removes the key.
func (c *retireKeyCommand) Run(std streams) error {
	id, err := c.id()
	if err != nil {
		return err
	}
	err = c.change(func(keys *sealedstore.Keyring) (*sealedstore.Keyring, error) { return keys.Retire(id) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "retired key %v: sessions whose values it has sealed cannot be read where the service is started with this file\n", id)
	return err
}

// change replaces the file by what edit makes of it.
func (f keyFile) change(edit func(*sealedstore.Keyring) (*sealedstore.Keyring, error)) error {
	keys, err := sealedstore.ReadKeyring(f.File)
	if err != nil {
		return inWords(err)
	}
	if keys, err = edit(keys); err != nil {
		return inWords(err)
	}
	return inWords(keys.Replace(f.File))
}

// inWords leaves out what tells a person nothing.
func inWords(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "sealedstore: "))
}
