package coatcheck_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coatcheck/coatcheck"
)

// The goroutines of one request share its session, and whoever was given a value
// goes on reading it.
func TestGoroutinesShareASession(t *testing.T) {
	const goroutines, rounds = 50, 4
	caches(t, func(t *testing.T, n near) {
		m, store, token := bags(t, n.NearCache)
		other := elsewhere(t, store, n)
		for _, shown := range []coatcheck.Token{token, ""} {
			ctx := t.Context()
			s := m.Open(shown)
			var wg sync.WaitGroup
			for i := range goroutines {
				wg.Go(func() {
					mine := fmt.Sprint("goroutine ", i)
					for round := range rounds {
						with(t, s, "all", mine)
						value, err := s.Get(ctx)
						wantErr(t, "Get", err, nil)
						if value["all"] <= round || value[mine] != round+1 {
							t.Errorf("%s sees %d of its own %d changes, %d of all", mine, value[mine], round+1, value["all"])
						}
						switch i % 10 {
						case 0:
							flush(t, s)
						case 1:
							s.Reload()
						case 2:
							_, err := s.Info(ctx)
							wantErr(t, "Info", err, nil)
						case 3:
							wantErr(t, "SetSubject", s.SetSubject("ada"), nil)
						case 4:
							_ = s.Token().ID() == s.ID()
							_ = fmt.Sprint(s, s.Status())
						case 5:
							if err := s.Change(ctx, func(b *bag) error { (*b)["all"] = -1; return coatcheck.ErrInvalid }); !errors.Is(err, coatcheck.ErrInvalid) {
								t.Errorf("Change: %v", err)
							}
						case 6:
							_, err := json.Marshal(s)
							wantErr(t, "Marshal", err, nil)
						case 7:
							s.Renew()
						case 8:
							sum := 0
							for _, n := range value {
								sum += n
							}
							if sum < 2*(round+1) {
								t.Errorf("%s sees a sum of %d in round %d", mine, sum, round)
							}
						case 9:
							if shown != "" && round == 0 { // while the token is that of the others
								switch err := other.Change(ctx, s.Token(), count("other")); {
								case err == nil, errors.Is(err, coatcheck.ErrNotFound):
								default:
									t.Errorf("Change by another: %v", err)
								}
							}
						}
					}
				})
			}
			wg.Wait()
			flush(t, s)
			got, err := other.Get(ctx, s.Token())
			if err != nil || got["all"] != goroutines*rounds {
				t.Errorf("%d changes, %v; want %d", got["all"], err, goroutines*rounds)
			}
			for i := range goroutines {
				if mine := fmt.Sprint("goroutine ", i); got[mine] != rounds {
					t.Errorf("%s: %d changes, want %d", mine, got[mine], rounds)
				}
			}
			if s.Status().Pending {
				t.Error("something is pending")
			}
		}
	})
}

// A Destroy amid it all ends what there was; what is changed later is new.
func TestGoroutinesShareASessionThatEnds(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		for range 20 {
			m, store, token := bags(t, n.NearCache)
			s := m.Open(token)
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					with(t, s, "b")
					flush(t, s)
				})
			}
			wantErr(t, "Destroy", s.Destroy(t.Context()), nil)
			_, err := m.Get(t.Context(), token)
			wantErr(t, "Get with the old token", err, coatcheck.ErrNotFound)
			wg.Wait()
			_, err = store.Load(t.Context(), token.ID())
			wantErr(t, "Load of the old session", err, coatcheck.ErrNotFound)
			left := 0
			if s.Token() != "" {
				left = 1
			}
			wantSessions(t, store, left)
		}
	})
}

// A method waits for the others' question to the store, and asks no other.
func TestGoroutinesAskTheStoreOnce(t *testing.T) {
	m, store, token := bags(t, storeOnly)
	var loads atomic.Int32
	answer := make(chan struct{})
	store.before = func(string) error {
		loads.Add(1)
		<-answer
		return nil
	}
	s := m.Open(token)
	var asking, done sync.WaitGroup
	for range 10 {
		asking.Add(1)
		done.Go(func() {
			asking.Done()
			wantSeen(t, "all at once", s, bag{"a": 1})
		})
	}
	asking.Wait()
	close(answer)
	done.Wait()
	if n := loads.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
}

func TestManyGoroutinesReadWhatOneChanges(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m, _, token := bags(t, n.NearCache)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { // each with a session of its own, on the shared snapshot
				s := m.Open(token)
				for range 20 {
					before, err := s.Get(t.Context())
					wantErr(t, "Get", err, nil)
					with(t, s, "b")
					if after := wantSeen(t, "changed", s, bag{"a": before["a"], "b": before["b"] + 1}); after["b"] == before["b"] {
						t.Error("the change is not there, or everywhere")
					}
				}
			})
		}
		wg.Wait()
		wantBehind(t, "in the end", m, token, bag{"a": 1})
	})
}
