package coatcheck_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

func TestFlushOfNothingAsksNothing(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		asked := keepJournal(store)
		for _, shown := range []coatcheck.Token{token, "", malformed, sample} {
			s := m.Open(shown)
			flush(t, s)
			asked.want(t, "Flush of what was not read")
			_, err := s.Get(t.Context())
			wantErr(t, "Get", err, nil)
			asked.mu.Lock()
			asked.calls = nil
			asked.mu.Unlock()
			flush(t, s)
			asked.want(t, "Flush of what was read")
			if s.Token() != shown {
				t.Errorf("token %v, want %v", s.Token(), shown)
			}
		}
	})
}

func TestFlushBeginsASession(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		for name, shown := range noSession {
			s := m.Open(shown)
			with(t, s, "b")
			if s.Token() != shown {
				t.Errorf("%s: token %v before Flush, want %v", name, s.Token(), shown)
			}
			flush(t, s)
			fresh := wantNew(t, s, shown)
			wantBehind(t, name, m, fresh, bag{"b": 1})
			wantSeen(t, name, s, bag{"b": 1})
			info, err := s.Info(t.Context())
			if r := load(t, store, fresh); err != nil || info.ID != r.ID || info.Rev != 1 || r.Rev != 1 || r.Subject != "" || !info.ExpiresAt.Equal(r.ExpiresAt) {
				t.Errorf("%s: %+v, %v; the store has %+v", name, info, err, r)
			}
			_, err = m.Get(t.Context(), shown)
			wantErr(t, name+": Get with the token shown", err, coatcheck.ErrNotFound)

			// From here on it is a session like any.
			asked := keepJournal(store)
			with(t, s, "b")
			flush(t, s)
			asked.want(t, "the next Flush", "Update")
			if s.Token() != fresh {
				t.Errorf("%s: the next Flush gave another token", name)
			}
			wantBehind(t, name, m, fresh, bag{"b": 2})
		}
		wantBehind(t, "the session with another secret", m, token, bag{"a": 1})
	})
}

func TestNewSessionHasTheConfiguredTimeouts(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		store := hook(t)
		m := newManager(t, coatcheck.Config[bag]{Store: store, NearCache: n.NearCache, IdleTimeout: 10 * minute, AbsoluteTimeout: hour})
		s := m.Open("")
		with(t, s, "a")
		flush(t, s)
		r := load(t, store, s.Token())
		if r.IdleTimeout != 10*minute || r.AbsoluteDeadline.Sub(r.CreatedAt) != hour || time.Until(r.ExpiresAt) != 10*minute {
			t.Errorf("idle timeout %v, absolute deadline after %v, expires in %v", r.IdleTimeout, r.AbsoluteDeadline.Sub(r.CreatedAt), time.Until(r.ExpiresAt))
		}
	})
}

func TestSessionWithASubjectBegins(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		for _, value := range []bag{nil, {"b": 1}} {
			m, store, _ := bags(t, n.NearCache)
			asked := keepJournal(store)
			s := m.Open("")
			wantErr(t, "SetSubject", s.SetSubject("ada"), nil)
			for key := range value {
				with(t, s, key)
			}
			flush(t, s)
			asked.want(t, "Flush", "Create")
			if r := load(t, store, wantNew(t, s, "")); r.Subject != "ada" || r.Rev != 1 {
				t.Errorf("revision %d of %q, want 1 of ada", r.Rev, r.Subject)
			}
			wantBehind(t, "after Flush", m, s.Token(), value)
		}
	})
}

func TestNothingBeginsNoSession(t *testing.T) {
	nothing := map[string]func(*testing.T, *coatcheck.Session[bag]){
		"a renewal":  func(_ *testing.T, s *coatcheck.Session[bag]) { s.Renew() },
		"no subject": func(t *testing.T, s *coatcheck.Session[bag]) { wantErr(t, "SetSubject", s.SetSubject(""), nil) },
		"the old zero": func(t *testing.T, s *coatcheck.Session[bag]) {
			wantErr(t, "Change", s.Change(t.Context(), func(*bag) error { return nil }), nil)
		},
		"a zero again": func(t *testing.T, s *coatcheck.Session[bag]) {
			with(t, s, "b")
			wantErr(t, "Change", s.Change(t.Context(), func(b *bag) error { *b = nil; return nil }), nil)
		},
	}
	caches(t, func(t *testing.T, n near) {
		m, store, _ := bags(t, n.NearCache)
		for name, do := range nothing {
			for _, shown := range noSession {
				for _, fixed := range []bool{false, true} {
					s := m.Open(shown)
					if fixed {
						s.FixToken(true) // which forbids what is not done anyway
					}
					wantSeen(t, name, s, nil)
					asked := keepJournal(store)
					do(t, s)
					if !s.Status().Pending {
						t.Errorf("%s: nothing is pending", name)
					}
					flush(t, s)
					asked.want(t, name)
					if s.Token() != shown || s.Status().Pending {
						t.Errorf("%s: token %v, %+v", name, s.Token(), s.Status())
					}
					wantSeen(t, name, s, nil)
				}
			}
		}
	})
}

// A subject that was taken back leaves the value.
func TestSessionBeginsWithoutASubject(t *testing.T) {
	m, store, _ := bags(t, storeOnly)
	s := m.Open("")
	wantErr(t, "SetSubject", s.SetSubject("ada"), nil)
	wantErr(t, "SetSubject", s.SetSubject(""), nil)
	with(t, s, "b")
	flush(t, s)
	if r := load(t, store, s.Token()); r.Subject != "" || string(r.Value) != `{"b":1}` {
		t.Errorf("the store has %s of %q", r.Value, r.Subject)
	}
}

func TestFlushIsOneUpdate(t *testing.T) {
	does := map[string]func(*testing.T, *coatcheck.Session[bag]){
		"changes": func(t *testing.T, s *coatcheck.Session[bag]) { with(t, s, "a", "b", "c") },
		"renews":  func(_ *testing.T, s *coatcheck.Session[bag]) { s.Renew() },
		"logs in": func(t *testing.T, s *coatcheck.Session[bag]) { wantErr(t, "SetSubject", s.SetSubject("ada"), nil) },
		"logs in and changes": func(t *testing.T, s *coatcheck.Session[bag]) {
			with(t, s, "a")
			wantErr(t, "SetSubject", s.SetSubject("ada"), nil)
			with(t, s, "b")
		},
	}
	caches(t, func(t *testing.T, n near) {
		for name, do := range does {
			for _, read := range []bool{false, true} {
				m, store, token := bags(t, n.NearCache)
				asked := keepJournal(store)
				s := m.Open(token)
				if read {
					wantSeen(t, "at first", s, bag{"a": 1})
					asked.want(t, "the read", n.reads...)
				}
				do(t, s)
				flush(t, s)
				calls := []string{"Update"}
				if !read {
					calls = append(n.reads[:len(n.reads):len(n.reads)], calls...)
				}
				asked.want(t, name, calls...)
				if rev := load(t, store, token).Rev; rev != 2 {
					t.Errorf("%s: revision %d, want 2", name, rev)
				}
				asked.want(t, "the test", "Load")
				flush(t, s)
				asked.want(t, "the second Flush")
			}
		}
	})
}

func TestFlushExtends(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		s := m.Open(token)
		with(t, s, "b")
		time.Sleep(20 * minute)
		flush(t, s)
		wantEnd(t, store, token, coatcheck.DefaultIdleTimeout)
	})
}

// What is flushed belongs to the store: whoever holds on to what a change has put
// into the value changes nothing of it.
func TestFlushedValueIsNobodysElse(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		for _, existing := range []bool{false, true} {
			m, _, token := bags(t, n.NearCache)
			if !existing {
				token = ""
			}
			mine := bag{"mine": 1}
			s := m.Open(token)
			wantErr(t, "Change", s.Change(t.Context(), func(b *bag) error { *b = mine; return nil }), nil)
			flush(t, s)
			mine["mine"] = 100
			wantSeen(t, "after Flush", s, bag{"mine": 1})
			wantBehind(t, "after Flush", m, s.Token(), bag{"mine": 1})
		}
	})
}

// bytesAsTheyAre is a codec that hands over the very memory of the value.
type bytesAsTheyAre struct{}

func (bytesAsTheyAre) Encode(value []byte) ([]byte, error) { return value, nil }
func (bytesAsTheyAre) Decode(data []byte) ([]byte, error)  { return bytes.Clone(data), nil }

func TestFlushedBytesAreNobodysElse(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m := newManager(t, coatcheck.Config[[]byte]{Store: openStore(t), NearCache: n.NearCache, Codec: bytesAsTheyAre{}})
		for _, shown := range []coatcheck.Token{"", generate(t, m, []byte("old"))} {
			mine := []byte("mine")
			s := m.Open(shown)
			wantErr(t, "Change", s.Change(t.Context(), func(b *[]byte) error { *b = mine; return nil }), nil)
			flush(t, s)
			mine[0] = 'M'
			if got, err := s.Get(t.Context()); err != nil || string(got) != "mine" {
				t.Errorf("the session sees %q, %v", got, err)
			}
			if got, err := m.Get(t.Context(), s.Token()); err != nil || string(got) != "mine" {
				t.Errorf("others see %q, %v", got, err)
			}
		}
	})
}

// Which is also when the session itself sees it so.
func TestFlushedValueIsSeenAsOthersWill(t *testing.T) {
	type half struct {
		Stored  int
		Private int `json:"-"`
	}
	m := newManager(t, coatcheck.Config[half]{Store: openStore(t)})
	s := m.Open("")
	wantErr(t, "Change", s.Change(t.Context(), func(h *half) error { *h = half{1, 2}; return nil }), nil)
	flush(t, s)
	if got, err := s.Get(t.Context()); err != nil || got != (half{Stored: 1}) {
		t.Errorf("%+v, %v; want what was stored", got, err)
	}
}

func TestFlushFailsAndMayBeRepeated(t *testing.T) {
	for name, c := range map[string]struct {
		new     bool
		subject string
		fails   string
		reload  bool
	}{
		"Create":              {true, "", "Create", false},
		"Create of a login":   {true, "ada", "Create", false},
		"Update":              {false, "", "Update", false},
		"Update of a login":   {false, "ada", "Update", false},
		"Load after a Reload": {false, "ada", "Load", true},
	} {
		t.Run(name, func(t *testing.T) {
			caches(t, func(t *testing.T, n near) {
				if c.reload && n.reads == nil {
					return // there is no Load
				}
				m, store, token := bags(t, n.NearCache)
				want := bag{"a": 1, "b": 1}
				if c.new {
					token, want = "", bag{"b": 1}
				}
				s := m.Open(token)
				with(t, s, "b")
				if c.subject != "" {
					wantErr(t, "SetSubject", s.SetSubject(c.subject), nil)
				}
				if c.reload {
					s.Reload()
				}
				store.before = failing(coatcheck.ErrUnavailable, c.fails)
				for range 3 {
					err := s.Flush(t.Context())
					wantErr(t, "Flush", err, coatcheck.ErrUnavailable)
					wantDiscreet(t, "Flush", err, sample)
					if s.Token() != token || !s.Status().Pending {
						t.Fatalf("after the failure: token %v, %+v", s.Token(), s.Status())
					}
				}
				store.before = failing(nil)
				wantSeen(t, "after the failures", s, want)
				flush(t, s)
				wantBehind(t, "in the end", m, s.Token(), want)
				r := load(t, store, s.Token())
				if rev := map[bool]uint64{true: 1, false: 2}[c.new]; r.Rev != rev || r.Subject != c.subject {
					t.Errorf("revision %d of %q, want %d of %q", r.Rev, r.Subject, rev, c.subject)
				}
			})
		})
	}
}

func TestFlushRefusesWhatCannotBeStored(t *testing.T) {
	type thing struct{ Any any }
	set := func(v any) func(*thing) error { return func(x *thing) error { x.Any = v; return nil } }
	for name, c := range map[string]struct {
		value any
		want  error
	}{
		"too large": {strings.Repeat("secret ", 20), coatcheck.ErrTooLarge},
		"a channel": {make(chan int), coatcheck.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			caches(t, func(t *testing.T, n near) {
				store := hook(t)
				m := newManager(t, coatcheck.Config[thing]{Store: store, NearCache: n.NearCache, MaxValueBytes: 100})
				for _, shown := range []coatcheck.Token{"", generate(t, m, thing{"a"})} {
					s := m.Open(shown)
					wantErr(t, "Change", s.Change(t.Context(), set(c.value)), nil)
					for range 2 {
						err := s.Flush(t.Context())
						wantErr(t, "Flush", err, c.want)
						if err != nil && strings.Contains(err.Error(), "secret") {
							t.Errorf("the error shows the value: %v", err)
						}
						if s.Token() != shown || !s.Status().Pending {
							t.Errorf("token %v, %+v", s.Token(), s.Status())
						}
					}
					wantErr(t, "Change", s.Change(t.Context(), set("b")), nil)
					flush(t, s)
					if got, err := m.Get(t.Context(), s.Token()); err != nil || got.Any != "b" {
						t.Errorf("once it is mended: %v, %v", got, err)
					}
				}
			})
		})
	}
}

func TestFlushEndsWithItsContext(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, _, token := bags(t, n.NearCache)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, shown := range []coatcheck.Token{token, ""} {
			s := m.Open(shown)
			with(t, s, "b")
			wantErr(t, "Flush", s.Flush(ctx), context.Canceled)
			flush(t, s)
			if value, err := m.Get(t.Context(), s.Token()); err != nil || value["b"] != 1 {
				t.Errorf("in the end: %v, %v", value, err)
			}
		}
	})
}
