package coatcheck_test

import (
	"bytes"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
)

type bag = map[string]int

func bags(t testing.TB, near coatcheck.NearCache) (*coatcheck.Manager[bag], *hooked, coatcheck.Token) {
	t.Helper()
	store := hook(t)
	m := newManager(t, coatcheck.Config[bag]{Store: store, NearCache: near})
	return m, store, generate(t, m, bag{"a": 1})
}

func TestCheckSnapshotsCatchesWhoChangesOne(t *testing.T) {
	m, _, token := bags(t, coatcheck.NearCache{CheckSnapshots: true})
	for range 2 {
		mine, err := m.Get(t.Context(), token)
		wantErr(t, "Get", err, nil)
		_, err = m.Get(t.Context(), token)
		wantErr(t, "Get of what nobody changed", err, nil)
		mine["a"] = 2
		_, err = m.Get(t.Context(), token)
		wantErr(t, "Get of what somebody changed", err, coatcheck.ErrSnapshotChanged)
		if err != nil && !strings.Contains(err.Error(), token.ID()) {
			t.Errorf("the error does not name the session: %v", err)
		}
		// Once told, one gets what the store has.
		if value, err := m.Get(t.Context(), token); err != nil || value["a"] != 1 {
			t.Errorf("after the error: %v, %v", value, err)
		}
	}
}

// A value that another program has written, in its own way of writing JSON, was
// changed by nobody.
func TestCheckSnapshotsSparesForeignJSON(t *testing.T) {
	m, store, token := bags(t, coatcheck.NearCache{CheckSnapshots: true})
	r := load(t, store, token)
	r.Rev, r.Value = 2, []byte(`{ "b": 2, "a": 1 }`)
	wantErr(t, "Update", store.Update(t.Context(), r), nil)
	for range 3 {
		_, err := m.Get(t.Context(), token)
		wantErr(t, "Get", err, nil)
	}
	mine, _ := m.Get(t.Context(), token)
	mine["a"] = 2
	_, err := m.Get(t.Context(), token)
	wantErr(t, "Get of what somebody changed", err, coatcheck.ErrSnapshotChanged)
}

// Whoever changes a snapshot harms this process's readers, and never the store.
func TestChangedSnapshotDoesNotReachTheStore(t *testing.T) {
	for _, check := range []bool{false, true} {
		m, store, token := bags(t, coatcheck.NearCache{CheckSnapshots: check})
		mine, err := m.Get(t.Context(), token)
		wantErr(t, "Get", err, nil)
		mine["a"] = 100
		err = m.Change(t.Context(), token, func(b *bag) error { (*b)["a"]++; return nil })
		wantErr(t, "Change", err, nil)
		if got := string(load(t, store, token).Value); got != `{"a":2}` {
			t.Errorf("the store has %s", got)
		}
		if value, err := m.Get(t.Context(), token); err != nil || value["a"] != 2 {
			t.Errorf("got %v, %v", value, err)
		}
	}
}

// A change is made to what the store has, not to what this program would write.
func TestChangeStartsFromTheStoredText(t *testing.T) {
	type optional struct {
		Notes map[string]int `json:",omitempty"`
	}
	store := hook(t)
	m := newManager(t, coatcheck.Config[optional]{Store: store})
	token := generate(t, m, optional{})
	r := load(t, store, token)
	r.Rev, r.Value = 2, []byte(`{"Notes":{}}`) // of which this program would write {}
	wantErr(t, "Update", store.Update(t.Context(), r), nil)
	for range 2 { // the second time from memory
		value, err := m.Get(t.Context(), token)
		if err != nil || value.Notes == nil {
			t.Fatalf("Get: %v, %v", value, err)
		}
	}
	wantErr(t, "Change", m.Change(t.Context(), token, func(o *optional) error {
		o.Notes["a"]++ // panics if it is nil
		return nil
	}), nil)
}

func TestUndecodableIsToldToReadersOnly(t *testing.T) {
	m, store, token := bags(t, coatcheck.NearCache{})
	r := load(t, store, token)
	r.Rev, r.Value = 2, []byte(`"text"`)
	wantErr(t, "Update", store.Update(t.Context(), r), nil)
	for range 2 { // the second time from memory
		_, err := m.Get(t.Context(), token)
		wantErr(t, "Get", err, coatcheck.ErrDecode)
		wantErr(t, "Change", m.Change(t.Context(), token, func(*bag) error { return errors.New("not reached") }), coatcheck.ErrDecode)
	}
	wantErr(t, "Update", m.Update(t.Context(), token, bag{"a": 3}), nil)
	if value, err := m.Get(t.Context(), token); err != nil || value["a"] != 3 {
		t.Errorf("after Update: %v, %v", value, err)
	}
}

// fickle encodes equal values in different ways.
type fickle struct {
	coatcheck.JSON[bag]
	n *atomic.Int64
}

func (f fickle) Encode(value bag) ([]byte, error) {
	data, err := f.JSON.Encode(value)
	return append(data, bytes.Repeat([]byte{' '}, int(f.n.Add(1)%7))...), err
}

// scribbler uses what it decodes as scratch paper.
type scribbler struct{ coatcheck.JSON[bag] }

func (s scribbler) Decode(data []byte) (bag, error) {
	value, err := s.JSON.Decode(data)
	clear(data)
	return value, err
}

// A value that was decoded by such a codec is still known to be what the store has, so that
// a change need not read it again.
func TestScribblingCodec(t *testing.T) {
	store := hook(t)
	config := coatcheck.Config[bag]{Store: store, Codec: scribbler{}}
	m, other := newManager(t, config), newManager(t, config)
	token := generate(t, m, bag{"a": 1})
	for name, reader := range map[string]*coatcheck.Manager[bag]{"created": m, "read": other} {
		value, err := reader.Get(t.Context(), token)
		if err != nil || value["a"] != 1 {
			t.Fatalf("%s: %v, %v", name, value, err)
		}
		store.before = failing(errors.New("it is asked"), "Load")
		err = reader.Change(t.Context(), token, func(b *bag) error { (*b)["b"]++; return nil })
		wantErr(t, "Change of what was "+name, err, nil)
		store.before = failing(nil)
	}
}

// A value whose deadline is extended while it is decoded is in memory decoded all the same:
// from when the next reader has come on, it is known whether somebody has changed it.
func TestExtendedWhileItIsDecoded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		codec := slow{begun: make(chan bool, 1), goOn: make(chan bool)}
		m := newManager(t, coatcheck.Config[bag]{Store: openStore(t), Codec: codec, NearCache: coatcheck.NearCache{CheckSnapshots: true}})
		token := generate(t, m, bag{"a": 1})
		done := make(chan error)
		go func() {
			_, err := m.Get(t.Context(), token)
			done <- err
		}()
		<-codec.begun
		time.Sleep(10 * time.Millisecond) // so that there is something to extend
		wantErr(t, "Refresh", m.Refresh(t.Context(), token), nil)
		close(codec.goOn)
		wantErr(t, "Get of what is extended", <-done, nil)
		mine, err := m.Get(t.Context(), token)
		wantErr(t, "the next Get", err, nil)
		mine["a"] = 2
		_, err = m.Get(t.Context(), token)
		wantErr(t, "Get of what somebody changed", err, coatcheck.ErrSnapshotChanged)
	})
}

// slow says when it begins to decode, and waits.
type slow struct {
	coatcheck.JSON[bag]
	begun, goOn chan bool
}

func (s slow) Decode(data []byte) (bag, error) {
	select {
	case s.begun <- true:
	default:
	}
	<-s.goOn
	return s.JSON.Decode(data)
}

func TestFickleCodecs(t *testing.T) {
	for _, near := range []coatcheck.NearCache{{}, {MaxEntries: -1}, {MaxEntries: -1, CheckSnapshots: true}} {
		m := newManager(t, coatcheck.Config[bag]{Store: openStore(t), Codec: fickle{n: new(atomic.Int64)}, NearCache: near})
		token := generate(t, m, bag{"a": 0})
		for i := range 20 {
			value, err := m.Get(t.Context(), token)
			if err != nil || value["a"] != i {
				t.Fatalf("Get: %v, %v; want %d", value, err, i)
			}
			wantErr(t, "Change", m.Change(t.Context(), token, func(b *bag) error { (*b)["a"]++; return nil }), nil)
		}
	}
}
