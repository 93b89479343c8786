package nearcache

import "encoding/binary"

// secretLen is the length of a secret's text.
const secretLen = 22

// secret is the text of a secret, in words that overlap: quick to compare.
type secret [3]uint64

func newSecret(text string) secret {
	if len(text) != secretLen {
		panic("nearcache: a secret has 22 characters")
	}
	return secret{word(text[0:8]), word(text[8:16]), word(text[14:22])}
}

// matches compares in constant time.
func (s *secret) matches(text string) bool {
	if len(text) != secretLen {
		return false
	}
	return (s[0]^word(text[0:8]))|(s[1]^word(text[8:16]))|(s[2]^word(text[14:22])) == 0
}

func (s *secret) equals(other *secret) bool {
	return (s[0]^other[0])|(s[1]^other[1])|(s[2]^other[2]) == 0
}

// word needs no copy of its eight characters: the compiler sees that they do
// not change.
func word(text string) uint64 { return binary.LittleEndian.Uint64([]byte(text)) }
