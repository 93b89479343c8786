package nearcache

import (
	"strings"
	"testing"
)

func wantDifferent(t *testing.T, a, b string) {
	t.Helper()
	x, y := newWords(a), newWords(b)
	if x == y || x.equal(y) {
		t.Errorf("%q equals %q", a, b)
	}
	if x.key() == y.key() {
		t.Errorf("%q has the key of %q", a, b) // by chance once in 2^64
	}
}

func TestWordsEqualThemselvesOnly(t *testing.T) {
	s, same := newWords(ours), newWords(strings.Clone(ours))
	if s != same || !s.equal(same) || s.key() != same.key() {
		t.Error("does not equal itself")
	}
	for i := range textLen {
		for bit := range 8 {
			text := []byte(ours)
			text[i] ^= 1 << bit
			wantDifferent(t, ours, string(text))
		}
	}
	for _, text := range []string{"", ours[:textLen-1], ours + "0", ours[1:], ours + ours} {
		wantDifferent(t, ours, text)
	}
}

// TestTextsKeepWords: also what is no ID.
func TestTextsKeepWords(t *testing.T) {
	for _, id := range []string{ours, theirs, "", "id", ours + ours} {
		w := newWords(id)
		if kept := w.text(); kept.words() != w {
			t.Errorf("%q: %x is kept as %x", id, w, kept.words())
		}
	}
}

// TestDifferencesDoNotCancelOut: two of the words overlap.
func TestDifferencesDoNotCancelOut(t *testing.T) {
	for i := range textLen {
		for j := range i {
			text := []byte(ours)
			text[i] ^= 1
			text[j] ^= 1
			wantDifferent(t, ours, string(text))
		}
	}
}

// TestKeysSpread: also those of IDs that an application counts up.
func TestKeysSpread(t *testing.T) {
	const many = 1 << 16
	var shard [shards]int
	seen := make(map[key]bool, many)
	for n := range many {
		text := strings.Repeat("A", textLen-4)
		for ; len(text) < textLen; n /= 64 {
			text += string(rune('0' + n%64))
		}
		w := newWords(text)
		seen[w.key()] = true
		shard[w.key()%shards]++
	}
	if len(seen) != many {
		t.Errorf("%d keys of %d IDs", len(seen), many)
	}
	for i, n := range shard {
		if mean := many / shards; n < mean/2 || n > 2*mean {
			t.Errorf("%d IDs in shard %d, want about %d", n, i, mean)
		}
	}
}

// TestIDsOfOneKeyAreToldApart has two entries meet under one key, which happens
// by chance once in a lifetime.
func TestIDsOfOneKeyAreToldApart(t *testing.T) {
	c := open(t, Config{})
	fill(t, c, "a", 5)
	a, b := newWords("a"), newWords("b")
	state := c.state.Load()
	stranger := state.peek(a)
	state.engine.set(b.key(), stranger) // as if b had the key of a
	if e, _ := c.Get("b", ours); e != nil {
		t.Error("b is served what is a's")
	}
	if c.Changed("b", 0) {
		t.Error("a change of b drops what is a's")
	}
	c.Replace(stranger, stranger.With(7, Never))
	if e, _ := c.Get("a", ours); e == nil || e.Value != 7 {
		t.Error("a is not found in its own place")
	}
}
