package coatcheck_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
)

func TestChangeLosesNoUpdate(t *testing.T) {
	const managers, writers, changes = 4, 64, 50 // writers and changes each
	store := openStore(t)
	var all []*coatcheck.Manager[profile]
	for range managers {
		all = append(all, newManager(t, config{Store: store}))
	}
	token := generate(t, all[0], profile{})

	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for range changes {
				if err := all[w%managers].Change(t.Context(), token, addVisit); err != nil {
					t.Errorf("Change: %v", err)
				}
			}
		})
	}
	wg.Wait()

	value, info, err := all[0].Lookup(t.Context(), token)
	if err != nil || value.Visits != writers*changes {
		t.Errorf("%d visits, %v; want %d", value.Visits, err, writers*changes)
	}
	if info.Rev != 1+writers*changes {
		t.Errorf("revision %d, want %d", info.Rev, 1+writers*changes)
	}
}

// Within one manager nobody is overtaken, which would waste the work of fn.
func TestChangesOfOneManagerQueueUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := open(t)
		token := generate(t, m, profile{})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				wantErr(t, "Change", m.Change(t.Context(), token, func(p *profile) error {
					time.Sleep(moment)
					return addVisit(p)
				}), nil)
			})
		}
		wg.Wait()
		wantValue(t, m, token, profile{Visits: 20})
		if n := m.Stats().Conflicts; n != 0 {
			t.Errorf("Conflicts is %d, want 0", n)
		}
	})
}

// What is stored must rest on the newest value, not on the one that was read
// first.
func TestChangeThatIsOvertakenSeesTheNewerValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const overtakes = 3
		store := hook(t)
		m, other := newManager(t, config{Store: store}), newManager(t, config{Store: store.Store})
		token := generate(t, m, profile{Visits: 10})
		left := overtakes
		store.before = func(method string) error {
			if method == "Update" && left > 0 {
				left--
				return other.Change(t.Context(), token, addVisit)
			}
			return nil
		}
		var seen []int
		var info coatcheck.Info
		err := m.Change(t.Context(), token, func(p *profile) error {
			seen = append(seen, p.Visits)
			p.Visits += 100
			return nil
		}, coatcheck.WithInfo(&info))
		wantErr(t, "Change", err, nil)

		for i, visits := range seen {
			if visits != 10+i { // and never a hundred of its own earlier attempts
				t.Errorf("attempt %d saw %d visits, want %d", i+1, visits, 10+i)
			}
		}
		if len(seen) != overtakes+1 {
			t.Errorf("%d attempts, want %d", len(seen), overtakes+1)
		}
		wantValue(t, m, token, profile{Visits: 10 + overtakes + 100})
		if info.Rev != 1+overtakes+1 {
			t.Errorf("reported revision %d, want %d", info.Rev, 1+overtakes+1)
		}
		if n := m.Stats().Conflicts; n != overtakes {
			t.Errorf("Conflicts is %d, want %d", n, overtakes)
		}
	})
}

func TestWriteGivesUpAfterAHundredConflicts(t *testing.T) {
	for _, v := range []verb{update, change} {
		inTime(t, v.name, func(t *testing.T) {
			store := hook(t)
			m := newManager(t, config{Store: store})
			token := generate(t, m, profile{Name: "ada"})
			store.before = failing(coatcheck.ErrConflict, "Update")
			err := v.call(t.Context(), m, token)
			wantErr(t, v.name, err, coatcheck.ErrConflict)
			if err != nil && !strings.Contains(err.Error(), "100 attempts") {
				t.Errorf("the error does not name the attempts: %v", err)
			}
			wantDiscreet(t, v.name, err, token)
			if n := store.updates.Load(); n != 100 {
				t.Errorf("%d attempts, want 100", n)
			}
			if n := m.Stats().Conflicts; n != 100 {
				t.Errorf("Conflicts is %d, want 100", n)
			}
			wantValue(t, m, token, profile{Name: "ada"})
		})
	}
}

func TestChangeReturnsTheErrorOfItsFunctionAndStoresNothing(t *testing.T) {
	m, store := open(t)
	token := generate(t, m, profile{Name: "ada"})
	mine := errors.New("my own")
	err := m.Change(t.Context(), token, func(p *profile) error {
		p.Name = "half done"
		return mine
	})
	if err != mine { // as it is, not wrapped
		t.Errorf("got %v, want %v", err, mine)
	}
	wantValue(t, m, token, profile{Name: "ada"})
	if rev := load(t, store, token).Rev; rev != 1 {
		t.Errorf("revision %d, want 1", rev)
	}
	// An error of fn that looks like one of ours changes nothing in that.
	err = m.Change(t.Context(), token, func(*profile) error { return coatcheck.ErrConflict })
	if err != coatcheck.ErrConflict {
		t.Errorf("got %v, want the bare ErrConflict", err)
	}
}

func TestChangeDoesNotCallItsFunctionWithoutAValue(t *testing.T) {
	m, _ := open(t)
	token := generate(t, m, profile{})
	wantErr(t, "Delete", m.Delete(t.Context(), token), nil)
	for _, absent := range []coatcheck.Token{token, "", malformed, sample} {
		err := m.Change(t.Context(), absent, func(*profile) error {
			t.Error("fn was called")
			return nil
		})
		wantErr(t, "Change", err, coatcheck.ErrNotFound)
	}
}

func TestPanicInAChangeDoesNotBlockTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := open(t)
		token := generate(t, m, profile{Name: "ada"})
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_ = m.Change(t.Context(), token, func(*profile) error { panic("a bug") })
		}()
		start := time.Now()
		wantErr(t, "Change", m.Change(t.Context(), token, addVisit), nil)
		if waited := time.Since(start); waited != 0 {
			t.Errorf("the next change waited %v", waited)
		}
		wantValue(t, m, token, profile{Name: "ada", Visits: 1})
	})
}

// Delete returns, and no change that was under way brings the value back, at
// whatever point of the change it comes.
func TestDeleteDuringChangeIsFinal(t *testing.T) {
	for _, v := range []verb{update, change} {
		for _, step := range []string{"Load", "Update"} {
			inTime(t, v.name+", before its "+step, func(t *testing.T) {
				store := hook(t)
				m, other := newManager(t, config{Store: store, NearCache: storeOnly}), newManager(t, config{Store: store.Store, NearCache: storeOnly})
				token := generate(t, m, profile{})
				store.before = func(method string) error {
					if method == step {
						return other.Delete(t.Context(), token)
					}
					return nil
				}
				wantErr(t, v.name, v.call(t.Context(), m, token), coatcheck.ErrNotFound)
				wantGone(t, other, token)
			})
		}
	}
}

// The revision of a new session may be that of the old one.
func TestChangeSparesANewSessionUnderTheSameID(t *testing.T) {
	m, _ := open(t)
	token := generate(t, m, profile{Name: "old"}, coatcheck.WithID(sampleID))
	var next coatcheck.Token
	err := m.Change(t.Context(), token, func(p *profile) error {
		wantErr(t, "Delete", m.Delete(t.Context(), token), nil)
		next = generate(t, m, profile{Name: "new"}, coatcheck.WithID(sampleID))
		p.Name = "old, changed"
		return nil
	})
	wantErr(t, "Change", err, coatcheck.ErrNotFound)
	wantGone(t, m, token)
	wantValue(t, m, next, profile{Name: "new"})
}

func TestConcurrentDeleteLeavesNothing(t *testing.T) {
	m, _ := open(t)
	for range 50 {
		token := generate(t, m, profile{})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				var err error
				for err == nil { // until the session is gone
					err = m.Change(t.Context(), token, addVisit)
				}
				wantErr(t, "Change", err, coatcheck.ErrNotFound)
			})
		}
		wantErr(t, "Delete", m.Delete(t.Context(), token), nil)
		wantGone(t, m, token) // at once, while changes are under way
		wg.Wait()
		wantGone(t, m, token) // and after them
	}
}

// A function that changes its own session breaks a rule, but hangs nobody.
func TestNestedChangeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := open(t)
		ctx := t.Context()
		token := generate(t, m, profile{})

		// Once only: the outer change is overtaken by the inner, and replayed.
		nested := false
		err := m.Change(ctx, token, func(p *profile) error {
			if !nested {
				nested = true
				wantErr(t, "inner Change", m.Change(ctx, token, addVisit), nil)
			}
			return addVisit(p)
		})
		wantErr(t, "Change", err, nil)
		wantValue(t, m, token, profile{Visits: 2})

		// At every attempt: the outer change can never succeed, and says so.
		start := time.Now()
		err = m.Change(ctx, token, func(*profile) error { return m.Change(ctx, token, addVisit) })
		wantErr(t, "Change", err, coatcheck.ErrConflict)
		if took := time.Since(start); took > minute {
			t.Errorf("it took %v", took)
		}
		wantValue(t, m, token, profile{Visits: 2 + 100})
	})
}
