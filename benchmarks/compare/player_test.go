package compare

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/coatcheck/coatcheck/benchmarks/rivals"
	"github.com/coatcheck/coatcheck/internal/redistest"
)

// newPlayer opens a subject for values and clients of the base.
func newPlayer(t *testing.T, name string) *player {
	t.Helper()
	all := rivals.All()
	at := slices.IndexFunc(all, func(s rivals.Subject) bool { return s.Name == name })
	p := &player{subject: all[at]}
	if p.subject.Redis {
		var err error
		if p.server, err = dial(redistest.Start(t).Addr); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.server.client.Close)
	}
	if err := p.open(Arena{Value: baseValue, Clients: baseClients}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// TestCreatedSessionsAreForgotten is about memory: a run creates millions.
func TestCreatedSessionsAreForgotten(t *testing.T) {
	redis, memory := newPlayer(t, "scs-redis"), newPlayer(t, "scs-memory")
	before := memory.app
	for _, p := range []*player{redis, memory} {
		s := p.enter(works[Create], baseClients, 0)
		for range 2 { // after a round there is a next one
			if err := s.play(2 * baseClients); err != nil {
				t.Fatal(err)
			}
			if err := s.after(); err != nil {
				t.Fatal(err)
			}
		}
	}
	client := redis.server.client
	if keys, err := client.Do(t.Context(), client.B().Dbsize().Build()).AsInt64(); err != nil || keys != 0 {
		t.Errorf("%d sessions are left in Redis, error %v", keys, err)
	}
	if memory.app == before {
		t.Error("the sessions in memory are left: nothing was opened anew")
	}
}

// TestEachSessionIsLoggedOutOnce counts what is left in Redis by a round.
func TestEachSessionIsLoggedOutOnce(t *testing.T) {
	p := newPlayer(t, "bare-redis")
	s := p.enter(works[Logout], baseClients, 4*baseClients)
	if err := s.before(); err != nil {
		t.Fatal(err)
	}
	if err := s.play(s.ops); err != nil {
		t.Fatal(err)
	}
	client := p.server.client
	if keys, err := client.Do(t.Context(), client.B().Dbsize().Build()).AsInt64(); err != nil || s.ops != 4*baseClients || keys != 0 {
		t.Errorf("%d logouts leave %d sessions, error %v", s.ops, keys, err)
	}
}

func TestACrowdSharesTheWork(t *testing.T) {
	c := newCrowd(newPlayer(t, "bare-otter").app, 4, 3)
	var turns [6]atomic.Int64
	if err := c.each(24, func(_ rivals.Client, i int) error { turns[i].Add(1); return nil }); err != nil {
		t.Fatal(err)
	}
	for i := range turns {
		if n := turns[i].Load(); n != 4 {
			t.Errorf("operation %d of a client was done by %d of 4", i, n)
		}
	}
}
