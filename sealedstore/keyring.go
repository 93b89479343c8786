package sealedstore

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/coatcheck/coatcheck"
)

// keyLen is that of AES-256.
const keyLen = 32

// Keyring holds the keys that values are sealed with: the first one seals, all
// open. It does not change, and is safe for concurrent use; the methods that
// change it return another one.
//
// A Keyring prints, logs and marshals in a redacted form. The keys go nowhere
// but into the file.
type Keyring struct {
	// held is a function because package fmt shows of one its address only. Where
	// it can ask no method, as in an unexported field, it follows pointers.
	held func() []key
}

type key struct {
	id      KeyID
	secret  []byte
	created time.Time // a date
}

// KeyID names a key. It is no secret: it stands in each value that is sealed
// with the key.
type KeyID uint32

// String returns 8 hexadecimal digits.
func (id KeyID) String() string { return fmt.Sprintf("%08x", uint32(id)) }

// ParseKeyID is the inverse of [KeyID.String]. The error, which wraps
// [coatcheck.ErrInvalid], does not repeat the text.
func ParseKeyID(text string) (KeyID, error) {
	bytes, err := hex.DecodeString(text)
	if err != nil || len(bytes) != 4 {
		return 0, fmt.Errorf("%w: a key is named by 8 hexadecimal digits", coatcheck.ErrInvalid)
	}
	return KeyID(binary.BigEndian.Uint32(bytes)), nil
}

// KeyInfo is what may be known of a key.
type KeyInfo struct {
	ID      KeyID
	Created time.Time // the date, in UTC
}

// NewKeyring returns a keyring of one new key.
func NewKeyring() *Keyring {
	return with([]key{newKey(nil)})
}

func with(keys []key) *Keyring { return &Keyring{func() []key { return keys }} }

// newKey returns a random key under a name that none of the others has.
func newKey(others []key) key {
	k := key{secret: make([]byte, keyLen), created: time.Now().UTC().Truncate(24 * time.Hour)}
	rand.Read(k.secret) // never fails since Go 1.24
	for {
		var id [4]byte
		rand.Read(id[:])
		k.id = KeyID(binary.BigEndian.Uint32(id[:]))
		if !slices.ContainsFunc(others, func(other key) bool { return other.id == k.id }) {
			return k
		}
	}
}

// keys are those of the keyring, none if it is the zero value.
func (k Keyring) keys() []key {
	if k.held == nil {
		return nil
	}
	return k.held()
}

func (k Keyring) first() *key { return &k.held()[0] }

// find returns nil if there is no such key.
func (k Keyring) find(id KeyID) *key {
	keys := k.keys()
	for i := range keys {
		if keys[i].id == id {
			return &keys[i]
		}
	}
	return nil
}

// Keys returns what may be known of the keys, the one that seals first.
func (k Keyring) Keys() []KeyInfo {
	var all []KeyInfo
	for _, key := range k.keys() {
		all = append(all, KeyInfo{key.id, key.created})
	}
	return all
}

// Add returns a keyring with one key more, which is the last: it opens, and
// seals nothing before it is promoted. Where several machines share a store,
// all must have it before any seals with it.
func (k Keyring) Add() (*Keyring, KeyID) {
	added := newKey(k.keys())
	return with(append(slices.Clone(k.keys()), added)), added.id
}

// Promote returns a keyring in which the key is the first: from now on it seals.
func (k Keyring) Promote(id KeyID) (*Keyring, error) {
	promoted := k.find(id)
	if promoted == nil {
		return nil, unknown(id)
	}
	return with(append([]key{*promoted}, k.without(id)...)), nil
}

// Retire returns a keyring without the key. What is sealed with it can no
// longer be read. The first key cannot be retired.
func (k Keyring) Retire(id KeyID) (*Keyring, error) {
	switch {
	case k.find(id) == nil:
		return nil, unknown(id)
	case k.first().id == id:
		return nil, fmt.Errorf("sealedstore: %w: key %s is the one that seals: promote another one before you retire it", coatcheck.ErrInvalid, id)
	}
	return with(k.without(id)), nil
}

func (k Keyring) without(id KeyID) []key {
	return slices.DeleteFunc(slices.Clone(k.keys()), func(key key) bool { return key.id == id })
}

func unknown(id KeyID) error {
	return fmt.Errorf("sealedstore: %w: key %s is not in the keyring", coatcheck.ErrInvalid, id)
}

// ParseKeyring reads a keyring: one key a line, which is 8 hexadecimal digits
// that name it, 32 bytes in base64, and the date on which it was made, as in
// 2030-12-31. Empty lines and those that begin with # do not count. The first
// key is the one that seals. The error, which wraps [coatcheck.ErrInvalid],
// names a line but never repeats it.
func ParseKeyring(text string) (*Keyring, error) {
	var keys []key
	lines := make(map[KeyID]int)
	number := 0
	text = strings.TrimPrefix(text, "\ufeff") // some editors begin a file with it
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		k, fault := parseKey(line)
		if fault == "" && lines[k.id] != 0 {
			fault = fmt.Sprintf("the name of the key is that of line %d", lines[k.id])
		}
		if fault != "" {
			return nil, fmt.Errorf("sealedstore: %w: keyring, line %d: %s", coatcheck.ErrInvalid, number, fault)
		}
		lines[k.id] = number
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("sealedstore: %w: there is no key in the keyring: make one with coatcheck keys new", coatcheck.ErrInvalid)
	}
	return with(keys), nil
}

// parseKey returns what is wrong with the line, if anything is.
func parseKey(line string) (k key, fault string) {
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return k, fmt.Sprintf("%d words, want three: 8 hexadecimal digits, the key in base64, and its date", len(fields))
	}
	var err error
	if k.id, err = ParseKeyID(fields[0]); err != nil {
		return k, "the first word is not 8 hexadecimal digits"
	}
	if k.secret, err = base64.StdEncoding.Strict().DecodeString(fields[1]); err != nil {
		return k, "the key is not base64, with padding"
	}
	if len(k.secret) != keyLen {
		return k, fmt.Sprintf("the key has %d bytes, want %d", len(k.secret), keyLen)
	}
	if k.created, err = time.Parse(time.DateOnly, fields[2]); err != nil {
		return k, "the third word is no date such as 2030-12-31"
	}
	return k, ""
}

const header = `# Keys of coatcheck: whoever has them can read every session that they sealed.
# The first key seals, all open. Change this file with coatcheck keys, which
# does not keep comments.
`

// text is what [ParseKeyring] reads.
func (k Keyring) text() string {
	var b strings.Builder
	b.WriteString(header)
	for _, key := range k.keys() {
		fmt.Fprintln(&b, key.id, base64.StdEncoding.EncodeToString(key.secret), key.created.Format(time.DateOnly))
	}
	return b.String()
}

// String returns the redacted form.
func (k Keyring) String() string {
	var names []string
	for _, key := range k.keys() {
		names = append(names, key.id.String())
	}
	return "[keyring: " + strings.Join(names, ", ") + "]"
}

// Format prints the redacted form for every verb that package fmt hands to a
// formatter: all but %T, %p and %w, which do not show the keys, either.
func (k Keyring) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, k.String()) // fmt gives no way to report it
}

// LogValue logs the redacted form.
func (k Keyring) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText gives the redacted form, so that neither JSON nor any other
// encoding of a larger struct carries the keys away unnoticed.
func (k Keyring) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// MarshalBinary is MarshalText, for encodings such as gob.
func (k Keyring) MarshalBinary() ([]byte, error) { return k.MarshalText() }
