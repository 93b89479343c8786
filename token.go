package coatcheck

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
)

const (
	idLen     = 22 // 16 bytes in base64 without padding
	secretLen = 22
	tokenLen  = idLen + secretLen
)

// Token is what a client holds, like the ticket of a coat check: 44
// characters of URL-safe base64, the session's public ID (22) followed by a
// secret (22), each 128 bits from crypto/rand.
//
// A Token prints, logs and marshals in a redacted form, with its ID only, so
// that it does not end up in a log by accident. The conversion string(t) gives
// the raw text, for the cookie or the response in which it goes to its
// holder; the conversion Token(text) is the way back.
//
// Three ways around the redaction are beyond the reach of a Go type: package
// fmt prints the unexported fields of a struct without asking their methods,
// and so the verbs %p and %w (which go vet reports); package encoding/json
// writes the keys of a map whose kind is string as they are. Use the ID as a
// key, and keep tokens in exported fields.
//
// The zero value is no token at all; a manager finds nothing behind it.
type Token string

// ID returns the public half of the token: the stable name of the session,
// safe to show and to log. It is empty if the token is malformed.
func (t Token) ID() string {
	if len(t) != tokenLen || !isBase64URL(string(t)) {
		return ""
	}
	return string(t[:idLen])
}

// hash is what a store keeps of a token: SHA-256 over both halves, so that it
// is bound to the ID. The secret has 128 random bits, hence no salt and no
// slow hash is needed.
func (t Token) hash() [sha256.Size]byte {
	var text [tokenLen]byte // on the stack
	copy(text[:], t)
	return sha256.Sum256(text[:])
}

// String returns the redacted form.
func (t Token) String() string {
	if t == "" {
		return "[no token]"
	}
	if id := t.ID(); id != "" {
		return id + "[redacted]"
	}
	return "[malformed token]" // its characters may be anybody's secret
}

// Format prints the redacted form for every verb that package fmt hands to a
// formatter: all but %T, %p and %w.
func (t Token) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, t.String()) // fmt gives no way to report it
}

// LogValue logs the redacted form.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText gives the redacted form, so that neither JSON nor any other
// encoding of a larger struct carries the token away unnoticed. To send a
// token to its holder, convert it: string(t).
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// MarshalBinary is MarshalText, for encodings such as gob.
func (t Token) MarshalBinary() ([]byte, error) { return t.MarshalText() }

// newToken issues a token under id, or under a new random ID if id is empty.
// The ID that it returns shares no memory with the token: a store may keep it.
func newToken(id string) (token Token, ownID string, incarnation uint64) {
	var random [40]byte
	rand.Read(random[:]) // never fails since Go 1.24
	var text [tokenLen]byte
	if id == "" {
		base64.RawURLEncoding.Encode(text[:idLen], random[:16])
		id = string(text[:idLen])
	} else {
		copy(text[:], id)
	}
	base64.RawURLEncoding.Encode(text[idLen:], random[16:32])
	return Token(text[:]), id, binary.NativeEndian.Uint64(random[32:])
}

func checkID(id string) error {
	if len(id) != idLen || !isBase64URL(id) {
		return fmt.Errorf("%w: ID must be %d characters of A-Z, a-z, 0-9, '-' and '_' (16 bytes in URL-safe base64), got %d bytes",
			ErrInvalid, idLen, len(id))
	}
	return nil
}

// isBase64URL looks at all characters, which is quicker than to stop at the first
// that is none.
func isBase64URL(s string) bool {
	var foreign byte
	for i := range len(s) {
		foreign |= notBase64URL[s[i]]
	}
	return foreign == 0
}

// notBase64URL marks what is no character of URL-safe base64, RFC 4648 section 5.
var notBase64URL = func() (table [256]byte) {
	for i := range table {
		table[i] = 1
	}
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		table[c] = 0
	}
	return table
}()
