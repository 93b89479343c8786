package nearcache

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"math/bits"
)

// textLen is the length of an ID, and of a secret.
const textLen = 22

// words are the 22 characters of an ID or a secret in three words, of which
// two overlap: quick to compare, and to hash. (A struct, for the compiler keeps
// those in registers, and no arrays.)
type words struct{ a, b, c uint64 }

// newWords takes texts of other lengths, too, and makes of each words that no
// ID has: whatever else a store may report.
func newWords(text string) words {
	if len(text) != textLen {
		return otherWords(text)
	}
	return wordsOf22(text)
}

// wordsOf22 is newWords for a text of the right length.
func wordsOf22(text string) words {
	return words{word(text[0:8]), word(text[8:16]), word(text[14:22])}
}

// otherWords has no character of URL-safe base64 where an ID ends. As in all words,
// the last two bytes of b are the first two of c: they are zero.
func otherWords(text string) words {
	return words{maphash.String(seed, text), uint64(len(text)), math.MaxUint64 &^ 0xffff}
}

// word needs no copy of its eight characters: the compiler sees that they do
// not change.
func word(text string) uint64 { return binary.LittleEndian.Uint64([]byte(text)) }

// text is words without what is in there twice, for what is kept: it makes an entry
// one size of memory smaller.
type text [textLen]byte

func (w words) text() (t text) {
	binary.LittleEndian.PutUint64(t[0:8], w.a)
	binary.LittleEndian.PutUint64(t[8:16], w.b)
	binary.LittleEndian.PutUint64(t[14:22], w.c)
	return t
}

func (t *text) words() words {
	le := binary.LittleEndian
	return words{le.Uint64(t[0:8]), le.Uint64(t[8:16]), le.Uint64(t[14:22])}
}

// equal compares in constant time.
func (w words) equal(other words) bool {
	return (w.a^other.a)|(w.b^other.b)|(w.c^other.c) == 0
}

// key is what an engine files an entry under: 64 bits, so that it need not
// follow a pointer to compare. Two IDs may have the same; then the later entry
// takes the place of the earlier.
type key uint64

// key mixes all bits of the words with some that nobody knows, as wyhash does.
func (w words) key() key {
	high, low := bits.Mul64(w.a^mixer[0], w.b^mixer[1])
	high, low = bits.Mul64(high^w.c^mixer[2], low^mixer[3])
	return key(high ^ low)
}

var (
	seed  = maphash.MakeSeed()
	mixer = [4]uint64{random(0), random(1), random(2), random(3)}
)

// random returns an odd number, since an even one would lose a bit, and a zero
// all of them.
func random(n int) uint64 { return maphash.Comparable(seed, n) | 1 }
