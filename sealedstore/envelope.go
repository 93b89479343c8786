package sealedstore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/coatcheck/coatcheck"
)

// The envelope, whose bytes others read: see docs/ENCRYPTION.md.
const (
	// version is not 1 but a byte that no value in clear is likely to begin with:
	// no text in UTF-8 does, JSON among it, nor does MessagePack.
	version = 0xC1

	keyIDAt = 1
	nonceAt = 5
	textAt  = 17
	tagLen  = 16

	retiredLen = sha256.Size/2 + 8 + 8

	// info sets the keys of sessions apart from all else that anybody may derive
	// from the same key.
	info = "coatcheck sealed value v1"
)

// Overhead is how many bytes a sealed value is longer than the value.
const Overhead = textAt + tagLen

// nonce is never used twice with one key. It is random, which is safe for 2^32
// values of a key (NIST SP 800-38D, section 8.3), and each session has its own.
type nonce [textAt - nonceAt]byte

// isSealed tells a sealed value from one in clear.
func isSealed(value []byte) bool { return len(value) > 0 && value[0] == version }

// aead returns the cipher for the values of one session.
func (k *key) aead(id string) (cipher.AEAD, error) {
	derived, err := hkdf.Key(sha256.New, k.secret, []byte(id), info, keyLen)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// bound is what a value is sealed together with: all of a record that only a
// new value comes with. The revision is not part of it, since a store beneath
// may raise it to extend a record (see [coatcheck.Touch]), and no deadline is.
//
// Retired secrets are, for one of them may be accepted still. Their number stands
// where the length of the ID leaves room: without any, the data is what it was
// before there were any.
func bound(head []byte, r *coatcheck.Record) []byte {
	data := make([]byte, 0, nonceAt+8+sha256.Size+4+len(r.ID)+len(r.Retired)*retiredLen+len(r.Subject))
	data = append(data, head[:nonceAt]...) // version and key
	data = binary.BigEndian.AppendUint64(data, r.Incarnation)
	data = append(data, r.SecretHash[:]...)
	data = binary.BigEndian.AppendUint32(data, uint32(len(r.Retired))<<24|uint32(len(r.ID)))
	data = append(data, r.ID...)
	for _, old := range r.Retired {
		data = append(data, old.Hash[:]...)
		data = binary.BigEndian.AppendUint64(data, uint64(old.At.UnixMilli()))
		data = binary.BigEndian.AppendUint64(data, uint64(old.Until.UnixMilli()))
	}
	return append(data, r.Subject...)
}

// seal returns the record's value, sealed for this record.
func (k *key) seal(r *coatcheck.Record, n nonce) ([]byte, error) {
	aead, err := k.aead(r.ID)
	if err != nil {
		return nil, err
	}
	sealed := make([]byte, textAt, len(r.Value)+Overhead)
	sealed[0] = version
	binary.BigEndian.PutUint32(sealed[keyIDAt:], uint32(k.id))
	copy(sealed[nonceAt:], n[:])
	return aead.Seal(sealed, n[:], r.Value, bound(sealed, r)), nil
}

var (
	errNotSealed = errors.New("the value is not sealed in the way of this version: it was stored before encryption was switched on, or by another program")
	errCutShort  = errors.New("the sealed value is cut short")
)

// open returns the value that is sealed in the record's, in memory of its own.
// No error shows anything of it.
func (k *Keyring) open(r *coatcheck.Record) ([]byte, error) {
	sealed := r.Value
	switch {
	case !isSealed(sealed):
		return nil, errNotSealed
	case len(sealed) < Overhead:
		return nil, errCutShort
	}
	id := KeyID(binary.BigEndian.Uint32(sealed[keyIDAt:]))
	key := k.find(id)
	if key == nil {
		return nil, fmt.Errorf("the value is sealed with key %s, which is not in the keyring", id)
	}
	aead, err := key.aead(r.ID)
	if err != nil {
		return nil, err
	}
	value, err := aead.Open(nil, sealed[nonceAt:textAt], sealed[textAt:], bound(sealed, r))
	if err != nil {
		return nil, fmt.Errorf("the value does not open with key %s: it was changed, or is not of this record", id)
	}
	return value, nil
}
