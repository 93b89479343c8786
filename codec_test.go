package coatcheck_test

import (
	"bytes"
	"testing"

	"github.com/coatcheck/coatcheck"
)

// noUTF8 is no JSON either.
var noUTF8 = []byte{0xff, 0, '"', 0xc1}

// bytesManagers are managers of bytes, with a near cache and without.
func bytesManagers(t *testing.T, test func(*testing.T, *coatcheck.Manager[[]byte], coatcheck.Store)) {
	for name, entries := range map[string]int{"near cache": 0, "no near cache": -1} {
		t.Run(name, func(t *testing.T) {
			store := openStore(t)
			test(t, newManager(t, coatcheck.Config[[]byte]{
				Store: store, Codec: coatcheck.Bytes{}, NearCache: coatcheck.NearCache{MaxEntries: entries},
			}), store)
		})
	}
}

func wantBytes(t *testing.T, m *coatcheck.Manager[[]byte], token coatcheck.Token, want []byte) {
	t.Helper()
	for range 2 { // as it was written, and as it was read
		if got, err := m.Get(t.Context(), token); err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %x, %v, want %x", got, err, want)
		}
	}
}

func TestBytesAreStoredAsTheyAre(t *testing.T) {
	bytesManagers(t, func(t *testing.T, m *coatcheck.Manager[[]byte], store coatcheck.Store) {
		token := generate(t, m, noUTF8)
		if r := load(t, store, token); !bytes.Equal(r.Value, noUTF8) {
			t.Errorf("stored %x, want %x", r.Value, noUTF8)
		}
		wantBytes(t, m, token, noUTF8)
		more := func(b *[]byte) error { *b = append(*b, 1); return nil }
		wantErr(t, "Change", m.Change(t.Context(), token, more), nil)
		wantBytes(t, m, token, append(bytes.Clone(noUTF8), 1))

		s := m.Open(token)
		wantErr(t, "Change of the session", s.Change(t.Context(), more), nil)
		wantErr(t, "Flush", s.Flush(t.Context()), nil)
		wantBytes(t, m, token, append(bytes.Clone(noUTF8), 1, 1))

		wantErr(t, "Update", m.Update(t.Context(), token, nil), nil)
		wantBytes(t, m, token, nil)
	})
}

// TestBytesOfTheCaller stay the caller's, who may go on to write to them.
func TestBytesOfTheCaller(t *testing.T) {
	for name, write := range map[string]func(*testing.T, *coatcheck.Manager[[]byte], []byte) coatcheck.Token{
		"Generate": func(t *testing.T, m *coatcheck.Manager[[]byte], mine []byte) coatcheck.Token {
			return generate(t, m, mine)
		},
		"Update": func(t *testing.T, m *coatcheck.Manager[[]byte], mine []byte) coatcheck.Token {
			token := generate(t, m, nil)
			wantErr(t, "Update", m.Update(t.Context(), token, mine), nil)
			return token
		},
		"Change": func(t *testing.T, m *coatcheck.Manager[[]byte], mine []byte) coatcheck.Token {
			token := generate(t, m, nil)
			wantErr(t, "Change", m.Change(t.Context(), token, func(b *[]byte) error { *b = mine; return nil }), nil)
			return token
		},
		"Flush": func(t *testing.T, m *coatcheck.Manager[[]byte], mine []byte) coatcheck.Token {
			s := m.Open(generate(t, m, nil))
			wantErr(t, "Change", s.Change(t.Context(), func(b *[]byte) error { *b = mine; return nil }), nil)
			wantErr(t, "Flush", s.Flush(t.Context()), nil)
			return s.Token()
		},
	} {
		t.Run(name, func(t *testing.T) {
			bytesManagers(t, func(t *testing.T, m *coatcheck.Manager[[]byte], _ coatcheck.Store) {
				mine := []byte("mine")
				token := write(t, m, mine)
				copy(mine, "else")
				wantBytes(t, m, token, []byte("mine"))
			})
		})
	}
}

// TestBytesOfReader: who writes to what Get has returned, which he should not, may spoil
// it for other readers, but not what is stored.
func TestBytesOfReader(t *testing.T) {
	bytesManagers(t, func(t *testing.T, m *coatcheck.Manager[[]byte], store coatcheck.Store) {
		token := generate(t, m, []byte("mine"))
		got, err := m.Get(t.Context(), token)
		wantErr(t, "Get", err, nil)
		copy(got, "else")
		wantErr(t, "Change", m.Change(t.Context(), token, func(b *[]byte) error { *b = append(*b, '!'); return nil }), nil)
		wantBytes(t, m, token, []byte("mine!"))
		if r := load(t, store, token); string(r.Value) != "mine!" {
			t.Errorf("stored %q, want %q", r.Value, "mine!")
		}
	})
}

// TestBytesOfReaders: who appends to what he has read does not write to what others have.
func TestBytesOfReaders(t *testing.T) {
	bytesManagers(t, func(t *testing.T, m *coatcheck.Manager[[]byte], _ coatcheck.Store) {
		token := generate(t, m, []byte("abc"))
		var ends [2][]byte
		for i := range ends {
			value, err := m.Get(t.Context(), token)
			wantErr(t, "Get", err, nil)
			ends[i] = append(value, byte('0'+i))
		}
		if got := string(ends[0]); got != "abc0" {
			t.Errorf("got %q, want %q", got, "abc0")
		}
	})
}
