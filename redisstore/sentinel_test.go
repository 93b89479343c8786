package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/redisstore"
	"github.com/coatcheck/coatcheck/storetest"
)

func TestContractBehindSentinel(t *testing.T) {
	primary := redistest.Start(t)
	sentinel, _ := redistest.StartSentinel(t, "main", primary)
	storetest.Run(t, func() (storetest.Target, error) {
		return target(sentinel.URL()+"?master_set=main", redisstore.Config{})
	})
}

// TestFailover kills the primary for good: until the replica is in its place
// calls fail as unavailable, and then the store goes on by itself.
func TestFailover(t *testing.T) {
	primary := redistest.Start(t)
	sentinel, _ := redistest.StartSentinel(t, "main", primary)
	s := open(t, sentinel.URL()+"?master_set=main", redisstore.Config{Timeout: time.Second})
	m, err := coatcheck.New(coatcheck.Config[string]{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	token, err := m.Generate(t.Context(), "hat")
	if err != nil {
		t.Fatal(err)
	}
	primary.WaitForReplica()
	primary.Kill()

	outages := 0
	for begin := time.Now(); ; {
		err := m.Update(t.Context(), token, "coat")
		if err == nil {
			break
		}
		outages++
		if !errors.Is(err, coatcheck.ErrUnavailable) || errors.Is(err, coatcheck.ErrNotFound) {
			t.Fatalf("during the failover: %v, want ErrUnavailable", err)
		}
		if time.Since(begin) > time.Minute {
			t.Fatalf("no recovery after the failover: %v", err)
		}
	}
	if outages == 0 {
		t.Error("the primary was killed and nobody noticed")
	}
	if got, err := m.Get(t.Context(), token); err != nil || got != "coat" {
		t.Errorf("after the failover: %q, %v", got, err)
	}
}
