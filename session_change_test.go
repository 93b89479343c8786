package coatcheck_test

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/coatcheck/coatcheck"
)

func TestChangeIsPrivateUntilFlush(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		s := m.Open(token)
		with(t, s, "a", "b")
		want := bag{"a": 2, "b": 1}
		wantSeen(t, "its own session", s, want)
		wantSeen(t, "another session", m.Open(token), bag{"a": 1})
		wantBehind(t, "before Flush", m, token, bag{"a": 1})
		if rev := load(t, store, token).Rev; rev != 1 {
			t.Errorf("revision %d before Flush, want 1", rev)
		}
		flush(t, s)
		wantSeen(t, "its own session", s, want)
		wantSeen(t, "another session", m.Open(token), want)
		wantBehind(t, "after Flush", m, token, want)
	})
}

// Whoever was given a value may still be looking at it.
func TestValuesHandedOutAreLeftAlone(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		for _, shown := range []string{"existing", "new"} {
			m, _, token := bags(t, n.NearCache)
			of := map[string]coatcheck.Token{"existing": token, "new": ""}[shown]
			snapshot, err := m.Get(t.Context(), token)
			wantErr(t, "Get", err, nil)
			s := m.Open(of)
			type handout struct{ got, as bag }
			var out []handout
			hand := func() {
				got, err := s.Get(t.Context())
				wantErr(t, "Get", err, nil)
				out = append(out, handout{got, maps.Clone(got)})
			}
			hand()
			for range 3 {
				with(t, s, "a")
				hand()
				with(t, s, "b", "c")
				hand()
				flush(t, s)
				hand()
				s.Reload()
				hand()
			}
			_ = s.Change(t.Context(), func(b *bag) error { (*b)["a"] = 100; return errors.New("no") })
			for i, o := range out {
				if !maps.Equal(o.got, o.as) {
					t.Errorf("%s session: what was handed out as number %d was %v and is %v", shown, i, o.as, o.got)
				}
			}
			if !maps.Equal(snapshot, bag{"a": 1}) {
				t.Errorf("the snapshot that others share is %v", snapshot)
			}
		}
	})
}

// The change that fails has got half way, into a map.
func TestFailedChangeLeavesAllAsItWas(t *testing.T) {
	errNo := errors.New("no")
	spoil := func(b *bag) {
		_ = count("spoilt")(b)
		(*b)["a"] = 100
	}
	failures := map[string]func(*testing.T, *coatcheck.Session[bag]){
		"error": func(t *testing.T, s *coatcheck.Session[bag]) {
			if err := s.Change(t.Context(), func(b *bag) error { spoil(b); return errNo }); err != errNo {
				t.Errorf("Change: %v, want the error as it is", err)
			}
		},
		"panic": func(t *testing.T, s *coatcheck.Session[bag]) {
			defer func() {
				if got := recover(); got != errNo {
					t.Errorf("recovered %v", got)
				}
			}()
			_ = s.Change(t.Context(), func(b *bag) error { spoil(b); panic(errNo) })
		},
	}
	caches(t, func(t *testing.T, n near) {
		for name, fail := range failures {
			for _, earlier := range [][]string{nil, {"b"}, {"b", "a", "b"}} {
				for _, new := range []bool{false, true} {
					for _, looks := range []bool{false, true} {
						t.Run(fmt.Sprintf("%s after %d changes, new %t, looked at %t", name, len(earlier), new, looks), func(t *testing.T) {
							m, store, token := bags(t, n.NearCache)
							want := bag{"a": 1}
							if new {
								token, want = "", bag{}
							}
							s := m.Open(token)
							with(t, s, earlier...)
							for _, key := range earlier {
								want[key]++
							}
							if looks {
								wantSeen(t, "before", s, want)
							}
							fail(t, s)
							if pending := s.Status().Pending; pending != (len(earlier) > 0) {
								t.Errorf("pending is %t", pending)
							}
							if looks {
								wantSeen(t, "after", s, want)
							}
							fail(t, s)
							asked := keepJournal(store)
							flush(t, s)
							if len(earlier) == 0 {
								asked.want(t, "Flush of nothing")
							}
							wantSeen(t, "after Flush", s, want)
							if s.Token() != "" {
								wantBehind(t, "after Flush", m, s.Token(), want)
							}
						})
					}
				}
			}
		}
	})
}

func TestChangeGoesOnAfterAFailedOne(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, _, token := bags(t, n.NearCache)
		s := m.Open(token)
		with(t, s, "b")
		wantErr(t, "Change", s.Change(t.Context(), func(b *bag) error {
			(*b)["b"] = 100
			return coatcheck.ErrConflict
		}), coatcheck.ErrConflict)
		with(t, s, "b")
		flush(t, s)
		wantBehind(t, "after Flush", m, token, bag{"a": 1, "b": 2})
	})
}

// A function that nobody overtakes runs once.
func TestUndisturbedChangeRunsOnce(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		for _, read := range []bool{false, true} {
			m, _, token := bags(t, n.NearCache)
			s := m.Open(token)
			runs := 0
			for range 2 {
				wantErr(t, "Change", s.Change(t.Context(), func(b *bag) error { runs++; return count("b")(b) }), nil)
			}
			if read {
				wantSeen(t, "before Flush", s, bag{"a": 1, "b": 2})
			}
			flush(t, s)
			flush(t, s)
			wantSeen(t, "after Flush", s, bag{"a": 1, "b": 2})
			if runs != 2 {
				t.Errorf("two changes, read before Flush %t: ran %d times", read, runs)
			}
		}
	})
}

// What others have written, in their own way of writing JSON, is copied from
// what the store has.
func TestChangeOfForeignJSON(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		r := load(t, store, token)
		r.Rev, r.Value = 2, []byte(`{ "b": 2, "a": 1 }`)
		wantErr(t, "Update", store.Update(t.Context(), r), nil)
		s := m.Open(token)
		shared := wantSeen(t, "at first", s, bag{"a": 1, "b": 2})
		with(t, s, "a", "b")
		wantSeen(t, "changed", s, bag{"a": 2, "b": 3})
		flush(t, s)
		wantBehind(t, "after Flush", m, token, bag{"a": 2, "b": 3})
		if !maps.Equal(shared, bag{"a": 1, "b": 2}) {
			t.Errorf("what was handed out is %v", shared)
		}
	})
}

// Whoever changes what Get returned harms this process's readers, and never the
// store.
func TestChangedHandoutDoesNotReachTheStore(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		for name, save := range map[string]func(*coatcheck.Session[bag]){
			"change": func(s *coatcheck.Session[bag]) { with(t, s, "a") },
			"renew":  func(s *coatcheck.Session[bag]) { s.Renew() },
		} {
			m, store, token := bags(t, n.NearCache)
			s := m.Open(token)
			wantSeen(t, "at first", s, bag{"a": 1})["a"] = 100
			save(s)
			flush(t, s)
			want := map[string]string{"change": `{"a":2}`, "renew": `{"a":1}`}[name]
			if got := string(load(t, store, token).Value); got != want {
				t.Errorf("%s: the store has %s, want %s", name, got, want)
			}
		}
	})
}

// What a change has put into the value is not its own any more when the next one
// runs, nor when it is run again itself: else the next one's work would be done twice.
func TestChangesShareNoMemory(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		for name, disturb := range map[string]func(*coatcheck.Manager[bag], *coatcheck.Session[bag], coatcheck.Token){
			"nothing": func(*coatcheck.Manager[bag], *coatcheck.Session[bag], coatcheck.Token) {},
			"look": func(_ *coatcheck.Manager[bag], s *coatcheck.Session[bag], _ coatcheck.Token) {
				wantSeen(t, "in between", s, bag{"mine": 1, "b": 1})
			},
			"Reload": func(_ *coatcheck.Manager[bag], s *coatcheck.Session[bag], _ coatcheck.Token) { s.Reload() },
			"conflict": func(m *coatcheck.Manager[bag], _ *coatcheck.Session[bag], token coatcheck.Token) {
				wantErr(t, "Change", m.Change(t.Context(), token, count("a")), nil)
			},
		} {
			m, _, token := bags(t, n.NearCache)
			mine := bag{"mine": 1}
			s := m.Open(token)
			wantErr(t, "Change", s.Change(t.Context(), func(b *bag) error { *b = mine; return nil }), nil)
			seen := wantSeen(t, "at first", s, bag{"mine": 1})
			with(t, s, "b")
			disturb(m, s, token)
			with(t, s, "c")
			flush(t, s)
			wantBehind(t, name, m, token, bag{"mine": 1, "b": 1, "c": 1})
			if len(seen) != 1 || len(mine) != 1 {
				t.Errorf("%s: what was put in is %v, what was handed out %v", name, mine, seen)
			}
		}
	})
}

// Also where the value cannot be copied for the moment, as it could not be stored.
func TestValuesThatCannotBeCopiedAreLeftAlone(t *testing.T) {
	type odd struct {
		Bag bag
		Any any
	}
	caches(t, func(t *testing.T, n near) {
		m := newManager(t, coatcheck.Config[odd]{Store: openStore(t), NearCache: n.NearCache})
		for _, shown := range []coatcheck.Token{"", generate(t, m, odd{})} {
			set := func(s *coatcheck.Session[odd], key string, v any) {
				t.Helper()
				wantErr(t, "Change", s.Change(t.Context(), func(o *odd) error {
					o.Any = v
					return count(key)(&o.Bag)
				}), nil)
			}
			s := m.Open(shown)
			set(s, "a", make(chan int))
			handout, err := s.Get(t.Context())
			wantErr(t, "Get", err, nil)
			set(s, "b", nil)
			if !maps.Equal(handout.Bag, bag{"a": 1}) {
				t.Errorf("what was handed out is %v", handout.Bag)
			}
			flush(t, s)
			if got, err := m.Get(t.Context(), s.Token()); err != nil || !maps.Equal(got.Bag, bag{"a": 1, "b": 1}) {
				t.Errorf("after Flush: %v, %v", got.Bag, err)
			}
		}
	})
}

// A change that has to ask the store for the value goes on from there.
func TestChangeOfForeignJSONThatIsBehind(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		r := load(t, store, token)
		r.Rev, r.Value = 2, []byte(`{ "a": 1 }`)
		wantErr(t, "Update", store.Update(t.Context(), r), nil)
		s := m.Open(token)
		wantSeen(t, "at first", s, bag{"a": 1})
		r.Rev, r.Value = 3, []byte(`{ "a": 5 }`)
		wantErr(t, "Update", store.Update(t.Context(), r), nil)

		asked := keepJournal(store)
		runs := 0
		wantErr(t, "Change", s.Change(t.Context(), func(b *bag) error { runs++; return count("a")(b) }), nil)
		asked.want(t, "the change", "Load")
		if info, err := s.Info(t.Context()); err != nil || info.Rev != 3 {
			t.Errorf("revision %d, %v; want 3", info.Rev, err)
		}
		flush(t, s)
		asked.want(t, "Flush", "Update")
		wantBehind(t, "after Flush", m, token, bag{"a": 6})
		if runs != 1 {
			t.Errorf("ran %d times, want once", runs)
		}
	})
}
