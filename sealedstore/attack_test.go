package sealedstore_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/memstore"
	"github.com/coatcheck/coatcheck/redisstore"
	"github.com/coatcheck/coatcheck/sealedstore"
	"github.com/coatcheck/coatcheck/sqlstore"
)

const plain = `{"card":"4111 1111 1111 1111"}`

func memory(t testing.TB) *memstore.Store {
	t.Helper()
	s, err := memstore.New(memstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func open(t testing.TB, inner coatcheck.Store, keys *sealedstore.Keyring, options ...sealedstore.Option) *sealedstore.Store {
	t.Helper()
	s, err := sealedstore.New(inner, keys, options...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func record(id string) coatcheck.Record {
	now := time.Now().UTC().Truncate(time.Millisecond)
	return coatcheck.Record{
		ID: id, Incarnation: 1, Rev: 1, SecretHash: [32]byte{1}, Subject: "ada", Value: []byte(plain),
		CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// load is Load of what must be there.
func load(t testing.TB, s coatcheck.Store, id string) coatcheck.Record {
	t.Helper()
	r, err := s.Load(t.Context(), id)
	must(t, err)
	return r
}

// wantUndecodable fails unless neither Load nor List shows the record, and both
// say the same of it. No other may be undecodable: List ends at the first.
func wantUndecodable(t *testing.T, s *sealedstore.Store, id, want string) {
	t.Helper()
	r, errLoad := s.Load(t.Context(), id)
	var errList error
	var listed coatcheck.Record
	for r, err := range s.List(t.Context()) {
		if err != nil || r.ID == id {
			listed, errList = r, err
		}
	}
	for what, err := range map[string]error{"Load": errLoad, "List": errList} {
		switch {
		case !errors.Is(err, coatcheck.ErrDecode), errors.Is(err, coatcheck.ErrNotFound), errors.Is(err, coatcheck.ErrUnavailable):
			t.Errorf("%s: error %v, want ErrDecode alone", what, err)
		case !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), id):
			t.Errorf("%s: error %v, want %q and the session's ID", what, err, want)
		case strings.Contains(err.Error(), "4111"):
			t.Errorf("%s: the error shows the value: %v", what, err)
		}
	}
	if r.Value != nil || listed.Value != nil {
		t.Error("a value comes with the error")
	}
}

const (
	one   = "AAAAaaaaBBBBbbbbCCCCc1"
	other = "AAAAaaaaBBBBbbbbCCCCc2"
)

func TestSwappedValuesAreRefused(t *testing.T) {
	inner := memory(t)
	s := open(t, inner, sealedstore.NewKeyring())
	ctx := t.Context()
	must(t, s.Create(ctx, record(one)), s.Create(ctx, record(other)))
	a, b := load(t, inner, one), load(t, inner, other)
	a.Value, b.Value = b.Value, a.Value
	a.Rev, b.Rev = 2, 2
	must(t, inner.Update(ctx, a), inner.Update(ctx, b))
	if _, err := s.Load(ctx, one); !errors.Is(err, coatcheck.ErrDecode) {
		t.Errorf("Load: %v, want ErrDecode", err)
	}
	must(t, inner.Delete(ctx, one))
	wantUndecodable(t, s, other, "is not of this record")
}

func TestValueOfAnEarlierIncarnationIsRefused(t *testing.T) {
	inner := memory(t)
	s := open(t, inner, sealedstore.NewKeyring())
	ctx := t.Context()
	must(t, s.Create(ctx, record(one)))
	old := load(t, inner, one)
	heir := record(one)
	heir.Incarnation = 2
	must(t, s.Delete(ctx, one), s.Create(ctx, heir))
	now := load(t, inner, one)
	now.Value = old.Value
	now.Rev++
	must(t, inner.Update(ctx, now))
	wantUndecodable(t, s, one, "is not of this record")
}

// TestStolenSessionIsRefused: who can write to the store could otherwise give a
// record the hash of a token of his own, and have its value opened for him.
func TestStolenSessionIsRefused(t *testing.T) {
	inner := memory(t)
	s := open(t, inner, sealedstore.NewKeyring())
	ctx := t.Context()
	must(t, s.Create(ctx, record(one)), s.Create(ctx, record(other)))
	a := load(t, inner, one)
	a.SecretHash = [32]byte{2}
	a.Rev++
	must(t, inner.Update(ctx, a))
	wantUndecodable(t, s, one, "it was changed")
	must(t, inner.Delete(ctx, one))

	b := load(t, inner, other)
	b.Subject = "root"
	b.Rev++
	must(t, inner.Update(ctx, b))
	wantUndecodable(t, s, other, "it was changed")
}

// TestSessionStolenByAFormerSecretIsRefused: a retired secret may be accepted
// still, so nobody may add one of his own, nor have an old one live longer.
func TestSessionStolenByAFormerSecretIsRefused(t *testing.T) {
	for what, steal := range map[string]func(*coatcheck.Record){
		"added":             func(r *coatcheck.Record) { r.Retired = append(r.Retired, r.Retired[0]) },
		"exchanged":         func(r *coatcheck.Record) { r.Retired[0].Hash[0]++ },
		"prolonged":         func(r *coatcheck.Record) { r.Retired[0].Until = r.Retired[0].Until.Add(time.Hour) },
		"said to be recent": func(r *coatcheck.Record) { r.Retired[0].At = r.Retired[0].At.Add(time.Minute) },
		"forgotten":         func(r *coatcheck.Record) { r.Retired = nil },
	} {
		t.Run(what, func(t *testing.T) {
			inner, ctx := memory(t), t.Context()
			s := open(t, inner, sealedstore.NewKeyring())
			r := record(one)
			r.Retired = []coatcheck.Retired{{Hash: [16]byte{1}, At: r.CreatedAt, Until: r.CreatedAt.Add(time.Minute)}}
			must(t, s.Create(ctx, r))
			if got := load(t, s, one); string(got.Value) != plain {
				t.Fatalf("the value opens as %q", got.Value)
			}
			stolen := load(t, inner, one)
			steal(&stolen)
			stolen.Rev++
			must(t, inner.Update(ctx, stolen))
			wantUndecodable(t, s, one, "it was changed")
		})
	}
}

func TestTamperedValueIsRefused(t *testing.T) {
	inner := memory(t)
	s := open(t, inner, sealedstore.NewKeyring())
	ctx := t.Context()
	must(t, s.Create(ctx, record(one)))
	sealed := load(t, inner, one)
	for i := range sealed.Value {
		changed := sealed
		changed.Rev = load(t, inner, one).Rev + 1
		changed.Value = slices.Clone(sealed.Value)
		changed.Value[i] ^= 0x20
		must(t, inner.Update(ctx, changed))
		wantUndecodable(t, s, one, "")
	}
}

func TestTruncatedValueIsRefused(t *testing.T) {
	inner := memory(t)
	s := open(t, inner, sealedstore.NewKeyring())
	ctx := t.Context()
	must(t, s.Create(ctx, record(one)))
	sealed := load(t, inner, one)
	for n := range sealed.Value {
		changed := sealed
		changed.Rev = load(t, inner, one).Rev + 1
		changed.Value = sealed.Value[:n]
		must(t, inner.Update(ctx, changed))
		want := map[bool]string{true: "cut short", false: "does not open"}[n < sealedstore.Overhead]
		if n == 0 {
			want = "is not sealed"
		}
		wantUndecodable(t, s, one, want)
	}
}

func TestUnknownKeyIsNamed(t *testing.T) {
	inner, keys := memory(t), sealedstore.NewKeyring()
	must(t, open(t, inner, keys).Create(t.Context(), record(one)))
	wantUndecodable(t, open(t, inner, sealedstore.NewKeyring()), one,
		fmt.Sprintf("sealed with key %v, which is not in the keyring", keys.Keys()[0].ID))
}

func TestKeysAreRotatedAndRetired(t *testing.T) {
	inner, ctx := memory(t), t.Context()
	first := sealedstore.NewKeyring()
	old := first.Keys()[0].ID
	both, added := first.Add()
	promoted, err := both.Promote(added)
	must(t, err)
	retired, err := promoted.Retire(old)
	must(t, err)

	must(t, open(t, inner, both).Create(ctx, record(one)))
	load(t, open(t, inner, first), one) // what was only added seals nothing yet
	s := open(t, inner, promoted)
	r := load(t, s, one)
	wantUndecodable(t, open(t, inner, retired), one, "key "+old.String())

	r.Rev++
	must(t, s.Update(ctx, r))
	if got := load(t, open(t, inner, retired), one); string(got.Value) != plain {
		t.Errorf("what the promoted key has sealed opens as %q", got.Value)
	}
	wantUndecodable(t, open(t, inner, first), one, "key "+added.String())
}

func TestPlaintextIsRefusedUnlessAccepted(t *testing.T) {
	for what, value := range map[string]string{"JSON": plain, "nothing": ""} {
		inner, keys, ctx := memory(t), sealedstore.NewKeyring(), t.Context()
		r := record(one)
		r.Value = []byte(value)
		must(t, inner.Create(ctx, r))
		wantUndecodable(t, open(t, inner, keys), one, "is not sealed")

		accepting := open(t, inner, keys, sealedstore.AcceptPlaintext())
		got := load(t, accepting, one)
		if string(got.Value) != value {
			t.Errorf("%s: read as %q", what, got.Value)
		}
		for r, err := range accepting.List(ctx) {
			if err != nil || string(r.Value) != value {
				t.Errorf("%s: listed as %q, %v", what, r.Value, err)
			}
		}
		got.Rev++
		must(t, accepting.Update(ctx, got))
		if got := load(t, open(t, inner, keys), one); string(got.Value) != value {
			t.Errorf("%s: after an update it is %q", what, got.Value)
		}
		// Accepted or not, what is sealed must open.
		wantUndecodable(t, open(t, inner, sealedstore.NewKeyring(), sealedstore.AcceptPlaintext()), one, "not in the keyring")
	}
}

func TestEmptyValuesAreSealed(t *testing.T) {
	inner := memory(t)
	s := open(t, inner, sealedstore.NewKeyring())
	r := record(one)
	r.Value = nil
	must(t, s.Create(t.Context(), r))
	if n := len(load(t, inner, one).Value); n != 33 {
		t.Errorf("sealed to %d bytes, want 33", n)
	}
	if got := load(t, s, one); len(got.Value) != 0 {
		t.Errorf("opens as %q", got.Value)
	}
}

// TestNoncesDiffer: one that was used twice would give away both values.
func TestNoncesDiffer(t *testing.T) {
	inner := memory(t)
	s := open(t, inner, sealedstore.NewKeyring())
	ctx := t.Context()
	r := record(one)
	must(t, s.Create(ctx, r))
	seen := make(map[string]bool)
	for range 1000 {
		seen[string(load(t, inner, one).Value[5:17])] = true
		r.Rev++
		must(t, s.Update(ctx, r))
	}
	if len(seen) != 1000 {
		t.Errorf("1000 values have %d nonces", len(seen))
	}
}

func TestCallersRecordIsLeftAlone(t *testing.T) {
	s := open(t, memory(t), sealedstore.NewKeyring())
	r := record(one)
	must(t, s.Create(t.Context(), r))
	r.Rev++
	must(t, s.Update(t.Context(), r))
	if string(r.Value) != plain {
		t.Errorf("the caller's value is %q", r.Value)
	}
}

// TestDumpShowsNoValue looks at all that a store has written, after each kind of
// change.
func TestDumpShowsNoValue(t *testing.T) {
	keyFile := filepath.Join(t.TempDir(), "keyring")
	keys := sealedstore.NewKeyring()
	must(t, keys.WriteNew(keyFile))
	text, err := os.ReadFile(keyFile)
	must(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	key, err := base64.StdEncoding.DecodeString(strings.Fields(lines[len(lines)-1])[1])
	must(t, err)

	for kind, dumped := range map[string]func(*testing.T) (coatcheck.Store, func() []byte){
		"memory": func(t *testing.T) (coatcheck.Store, func() []byte) {
			s := memory(t)
			return s, func() (dump []byte) {
				for r, err := range s.List(t.Context()) {
					must(t, err)
					dump = fmt.Appendf(dump, "%s %s", r.ID, r.Value)
				}
				return dump
			}
		},
		"sqlite": func(t *testing.T) (coatcheck.Store, func() []byte) {
			path := filepath.Join(t.TempDir(), "records.db")
			s, err := sqlstore.OpenSQLite(t.Context(), path, sqlstore.Config{})
			must(t, err)
			t.Cleanup(func() { _ = s.Close() })
			return s, func() (dump []byte) {
				for _, suffix := range []string{"", "-wal", "-shm"} {
					data, err := os.ReadFile(path + suffix)
					must(t, err)
					dump = append(dump, data...)
				}
				return dump
			}
		},
		"redis": func(t *testing.T) (coatcheck.Store, func() []byte) {
			server := redistest.Start(t, "--rdbcompression", "no")
			s, err := redisstore.Open(t.Context(), server.URL(), redisstore.Config{})
			must(t, err)
			t.Cleanup(func() { _ = s.Close() })
			return s, func() []byte { return server.Dump("") }
		},
	} {
		t.Run(kind, func(t *testing.T) {
			inner, dump := dumped(t)
			s := open(t, inner, keys)
			type value struct{ Card string }
			m, err := coatcheck.New(coatcheck.Config[value]{Store: s})
			must(t, err)
			t.Cleanup(func() { _ = m.Close() })
			ctx := t.Context()
			token, err := m.Generate(ctx, value{"4111 1111"}, coatcheck.ForSubject("ada"))
			must(t, err)
			must(t, m.Change(ctx, token, func(v *value) error { v.Card += " 2222"; return nil }))
			must(t, m.Update(ctx, token, value{"4111 3333"}), m.Refresh(ctx, token))
			must(t, s.Touch(ctx, coatcheck.Record{ID: token.ID(), Value: []byte("4111"), Incarnation: load(t, s, token.ID()).Incarnation, ExpiresAt: time.Now().Add(12 * time.Hour)}))
			data := dump()
			if !bytes.Contains(data, []byte(token.ID())) {
				t.Error("the dump does not hold the session's ID: it is no dump")
			}
			for what, secret := range map[string][]byte{
				"the value": []byte("4111"), "a name in it": []byte("Card"), "the key": key, "the token": []byte(token[22:]),
			} {
				if bytes.Contains(data, secret) {
					t.Errorf("the dump holds %s", what)
				}
			}
			if v, err := m.Get(ctx, token); err != nil || v.Card != "4111 3333" {
				t.Errorf("Get: %v, %v", v, err)
			}
		})
	}
}

// TestLayerBeneathMayRaiseTheRevision: one that extends by an update, as
// coatcheck.Touch does, cannot seal anew.
func TestLayerBeneathMayRaiseTheRevision(t *testing.T) {
	inner := memory(t)
	s := open(t, inner, sealedstore.NewKeyring())
	must(t, s.Create(t.Context(), record(one)))
	longer := load(t, inner, one)
	longer.ExpiresAt = longer.ExpiresAt.Add(time.Minute)
	if touched, err := coatcheck.Touch(t.Context(), struct{ coatcheck.Store }{inner}, longer); err != nil || touched.Rev != 2 {
		t.Fatalf("revision %d, %v", touched.Rev, err)
	}
	if got := load(t, s, one); string(got.Value) != plain || got.Rev != 2 {
		t.Errorf("%q at revision %d", got.Value, got.Rev)
	}
}

// TestInnerErrorsPassThrough shows that nothing becomes a miss, or another
// error than it was.
func TestInnerErrorsPassThrough(t *testing.T) {
	inner := memory(t)
	s := open(t, inner, sealedstore.NewKeyring())
	ctx := t.Context()
	_, err := s.Load(ctx, one)
	if err != coatcheck.ErrNotFound {
		t.Errorf("Load: %v", err)
	}
	must(t, s.Create(ctx, record(one)))
	if err := s.Create(ctx, record(one)); err != coatcheck.ErrExists {
		t.Errorf("Create: %v", err)
	}
	if err := s.Update(ctx, record(one)); err != coatcheck.ErrConflict {
		t.Errorf("Update: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Load(ended, one); err != context.Canceled {
		t.Errorf("Load: %v", err)
	}
}
