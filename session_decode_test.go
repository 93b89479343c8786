package coatcheck_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/coatcheck/coatcheck"
)

// outgrown is a session of a program that has changed its type since.
type outgrown struct {
	m     *coatcheck.Manager[bag]
	store *hooked
	token coatcheck.Token
	told  recorder
}

func outgrow(t testing.TB, n near, strict bool) outgrown {
	t.Helper()
	o := outgrown{store: hook(t), told: newRecorder()}
	before := newManager(t, coatcheck.Config[string]{Store: o.store.Store, NearCache: n.NearCache})
	o.token = generate(t, before, "secret", coatcheck.ForSubject("ada"))
	o.m = newManager(t, coatcheck.Config[bag]{
		Store: o.store, NearCache: n.NearCache, StrictDecode: strict,
		OnEvent: func(e coatcheck.Event) {
			if e.Kind == coatcheck.DecodeFailed {
				o.told.events <- e
			}
		},
	})
	return o
}

func TestOutgrownSessionBeginsAnew(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		o := outgrow(t, n, false)
		before := load(t, o.store, o.token)
		s := o.m.Open(o.token)
		for range 3 {
			wantSeen(t, "at first", s, nil)
		}
		if info, err := s.Info(t.Context()); err != nil || info != (coatcheck.Info{}) {
			t.Errorf("Info: %+v, %v; want the zero Info", info, err)
		}
		wantEvent(t, o.told, coatcheck.Event{Kind: coatcheck.DecodeFailed, SessionID: o.token.ID()})
		if failures := o.m.Stats().DecodeFailures; failures != 1 {
			t.Errorf("%d decode failures, want 1", failures)
		}
		if s.Token() != o.token {
			t.Errorf("token %v, want %v", s.Token(), o.token)
		}
		with(t, s, "b")
		flush(t, s)
		wantBehind(t, "after Flush", o.m, wantNew(t, s, o.token), bag{"b": 1})
		if after := load(t, o.store, o.token); !reflect.DeepEqual(after, before) {
			t.Errorf("what was stored was %+v and is %+v", before, after)
		}
		if subject := load(t, o.store, s.Token()).Subject; subject != "" {
			t.Errorf("the new session belongs to %q", subject)
		}
		if len(o.told.events) != 0 {
			t.Errorf("told again: %+v", o.told.next(t))
		}
	})
}

func TestOutgrownSessionIsNotRenewed(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		o := outgrow(t, n, false)
		s := o.m.Open(o.token)
		s.Renew()
		flush(t, s)
		if r := load(t, o.store, o.token); s.Token() != o.token || r.Rev != 1 {
			t.Errorf("token %v, revision %d", s.Token(), r.Rev)
		}
	})
}

func TestDestroyEndsAnOutgrownSession(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		for _, strict := range []bool{false, true} {
			for _, read := range []bool{false, true} {
				o := outgrow(t, n, strict)
				s := o.m.Open(o.token)
				if read {
					_, err := s.Get(t.Context())
					wantErr(t, "Get", err, map[bool]error{true: coatcheck.ErrDecode}[strict])
				}
				wantErr(t, "Destroy", s.Destroy(t.Context()), nil)
				wantSessions(t, o.store, 0)
				with(t, s, "b")
				flush(t, s)
				wantBehind(t, "later", o.m, wantNew(t, s, o.token), bag{"b": 1})
			}
		}
	})
}

func TestStrictDecodeFailsEverywhere(t *testing.T) {
	calls := map[string]func(context.Context, *coatcheck.Session[bag]) error{
		"Get":    func(ctx context.Context, s *coatcheck.Session[bag]) error { _, err := s.Get(ctx); return err },
		"Change": func(ctx context.Context, s *coatcheck.Session[bag]) error { return s.Change(ctx, count("b")) },
		"Info":   func(ctx context.Context, s *coatcheck.Session[bag]) error { _, err := s.Info(ctx); return err },
		"Flush": func(ctx context.Context, s *coatcheck.Session[bag]) error {
			wantErr(t, "SetSubject", s.SetSubject("eve"), nil)
			return s.Flush(ctx)
		},
		"MarshalJSON": func(_ context.Context, s *coatcheck.Session[bag]) error { _, err := s.MarshalJSON(); return err },
	}
	caches(t, func(t *testing.T, n near) {
		for name, call := range calls {
			o := outgrow(t, n, true)
			before := load(t, o.store, o.token)
			s := o.m.Open(o.token)
			for i := range uint64(2) {
				err := call(t.Context(), s)
				wantErr(t, name, err, coatcheck.ErrDecode)
				if text := fmt.Sprint(err); strings.Contains(text, "secret") || !strings.Contains(text, o.token.ID()) {
					t.Errorf("%s: the error shows the value, or not the session: %v", name, err)
				}
				wantEvent(t, o.told, coatcheck.Event{Kind: coatcheck.DecodeFailed, SessionID: o.token.ID()})
				if failures := o.m.Stats().DecodeFailures; failures != i+1 {
					t.Errorf("%s: %d decode failures, want %d", name, failures, i+1)
				}
			}
			if after := load(t, o.store, o.token); !reflect.DeepEqual(after, before) || s.Token() != o.token {
				t.Errorf("%s made %+v of %+v", name, after, before)
			}
			wantSessions(t, o.store, 1)
		}
	})
}

// What does not fit any more when the changes are to be saved is left alone, and
// so are the changes.
func TestSessionThatIsOutgrownMeanwhile(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		s := m.Open(token)
		with(t, s, "b")
		s.FixToken(true)
		r := load(t, store, token)
		good := r.Value
		r.Rev, r.Value = 2, []byte(`"secret"`)
		wantErr(t, "Update", store.Update(t.Context(), r), nil)
		for range 2 {
			wantErr(t, "Flush", s.Flush(t.Context()), coatcheck.ErrDecode)
			wantSeen(t, "after the failure", s, bag{"a": 1, "b": 1})
		}
		r.Rev, r.Value = 3, good
		wantErr(t, "Update", store.Update(t.Context(), r), nil)
		flush(t, s)
		wantBehind(t, "in the end", m, token, bag{"a": 1, "b": 1})
	})
}

// A change finds it out if it has to ask the store for the value, since what is in
// memory was written in another way: that is told once, like all else.
func TestSessionThatAChangeFindsOutgrown(t *testing.T) {
	m, store, token := bags(t, coatcheck.NearCache{})
	r := load(t, store, token)
	r.Rev, r.Value = 2, []byte(`{ "a": 1 }`)
	wantErr(t, "Update", store.Update(t.Context(), r), nil)
	s := m.Open(token)
	wantSeen(t, "at first", s, bag{"a": 1})
	r.Rev, r.Value = 3, []byte(`"secret"`)
	wantErr(t, "Update", store.Update(t.Context(), r), nil)
	err := s.Change(t.Context(), count("b"))
	wantErr(t, "Change", err, coatcheck.ErrDecode)
	if text := fmt.Sprint(err); strings.Contains(text, "secret") || !strings.Contains(text, token.ID()) {
		t.Errorf("the error shows the value, or not the session: %v", err)
	}
	if failures := m.Stats().DecodeFailures; failures != 1 {
		t.Errorf("%d decode failures, want 1", failures)
	}
	with(t, s, "b")
	flush(t, s)
	wantBehind(t, "after that", m, wantNew(t, s, token), bag{"b": 1})
}
