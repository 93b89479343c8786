package sqlstore_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/sqlstore"
)

// channels is a sink that passes on what it hears, for as long as the test lasts.
type channels struct {
	ctx      context.Context
	changed  chan coatcheck.RecordChange
	lost     chan struct{}
	caughtUp chan time.Time
}

func (s *channels) Changed(changes ...coatcheck.RecordChange) {
	for _, change := range changes {
		send(s.ctx, s.changed, change)
	}
}
func (s *channels) Lost()                   { send(s.ctx, s.lost, struct{}{}) }
func (s *channels) CaughtUp(asOf time.Time) { send(s.ctx, s.caughtUp, asOf) }

func send[T any](ctx context.Context, to chan T, what T) {
	select {
	case to <- what:
	case <-ctx.Done():
	}
}

// watching starts a watch. The test must take each Lost and each CaughtUp.
func watching(t *testing.T, s *sqlstore.Store) *channels {
	ctx, cancel := context.WithCancel(t.Context())
	sink := &channels{ctx, make(chan coatcheck.RecordChange, 1000), make(chan struct{}), make(chan time.Time)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Watch(ctx, time.Millisecond, sink)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	<-sink.lost
	<-sink.caughtUp
	return sink
}

// round returns whether all was lost before the watch had caught up with now.
func (s *channels) round(t *testing.T) (lost bool) {
	t.Helper()
	now, timeout := time.Now(), time.After(20*time.Second)
	for {
		select {
		case <-s.lost:
			lost = true
		case asOf := <-s.caughtUp:
			if asOf.After(now) {
				return lost
			}
		case <-timeout:
			t.Fatal("the watch does not catch up")
		}
	}
}

// TestOthersCommitsAreNoticed rests on what SQLite says of data_version: it
// changes with the commits of all connections but the one that asks.
func TestOthersCommitsAreNoticed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	s := open(t, path, sqlstore.Config{SweepInterval: 20 * time.Millisecond})
	create := func() {
		t.Helper()
		if err := s.Create(t.Context(), coatcheck.Record{ID: randomID(), Rev: 1}); err != nil {
			t.Fatal(err)
		}
	}
	create()
	sink := watching(t, s)
	for range 50 {
		create()
		if err := s.Create(t.Context(), coatcheck.Record{ID: randomID(), Rev: 1, ExpiresAt: time.Now()}); err != nil {
			t.Fatal(err) // to be swept
		}
		if sink.round(t) {
			t.Fatal("own commits count as another's")
		}
	}

	elsewhere := raw(t, path)
	defer elsewhere.Close()
	elsewhere.SetMaxOpenConns(1)
	run := func(statement string) {
		t.Helper()
		if _, err := elsewhere.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, own := range []string{"no commit", "a commit"} {
		for _, checkpoint := range []string{"", "PASSIVE", "FULL", "RESTART", "TRUNCATE"} {
			if checkpoint != "" {
				run("PRAGMA wal_checkpoint(" + checkpoint + ")")
				sink.round(t) // may or may not count as a change
			}
			for range 10 {
				run("UPDATE records SET rev = rev + 1")
				if own == "a commit" { // which has to see the other's first
					create()
				}
				if !sink.round(t) {
					t.Fatalf("another's commit is not noticed, after checkpoint %q and %s of our own", checkpoint, own)
				}
			}
		}
	}

	// Checkpointed between our question and the next, a commit must not vanish.
	for range 20 {
		run("UPDATE records SET rev = rev + 1")
		run("PRAGMA wal_checkpoint(TRUNCATE)")
		if !sink.round(t) {
			t.Fatal("another's commit is not noticed when a checkpoint follows")
		}
	}
}

// TestReplacedFileStopsTheWatch: what others do is done to the new file.
func TestReplacedFileStopsTheWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	s := open(t, path, sqlstore.Config{})
	sink := watching(t, s)
	sink.round(t)
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	moved := time.Now()
	end := time.After(100 * time.Millisecond) // a hundred rounds
	for waiting := true; waiting; {
		select {
		case asOf := <-sink.caughtUp:
			if asOf.After(moved) {
				t.Fatal("CaughtUp although the path names another file")
			}
		case <-end:
			waiting = false
		}
	}
	if err := os.Rename(path+".old", path); err != nil {
		t.Fatal(err)
	}
	sink.round(t)
}

// TestFailedChangeIsReported has SQLite undo the transaction of a change.
func TestFailedChangeIsReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	s := open(t, path, sqlstore.Config{})
	if err := s.Create(t.Context(), coatcheck.Record{ID: "a", Rev: 1}); err != nil {
		t.Fatal(err)
	}
	exec(t, path, "CREATE TRIGGER fail AFTER UPDATE ON records BEGIN SELECT RAISE(ROLLBACK, 'no'); END")
	sink := watching(t, s)
	if err := s.Update(t.Context(), coatcheck.Record{ID: "a", Rev: 2}); err == nil {
		t.Fatal("Update succeeds in spite of the trigger")
	}
	select {
	case got := <-sink.changed:
		if want := (coatcheck.RecordChange{ID: "a", Own: true}); got != want {
			t.Errorf("reported %v, want %v", got, want)
		}
	default:
		t.Error("Update has failed and returned, and is not reported")
	}
}

// TestWatchWaitsForNoWriter has another process hold the lock for writing.
func TestWatchWaitsForNoWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	s := open(t, path, sqlstore.Config{BusyTimeout: time.Minute})
	sink := watching(t, s)
	unlock := lock(t, path)
	defer unlock()
	if sink.round(t) {
		t.Error("a lock counts as a change")
	}
}

// TestExpiryIsReported has records swept beside one that lives and one that is
// deleted.
func TestExpiryIsReported(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "records.db"), sqlstore.Config{SweepInterval: time.Millisecond})
	sink := watching(t, s)
	const ended = 3*200 + 1 // several batches
	missing := make(map[string]bool)
	for i := range ended + 2 {
		r := coatcheck.Record{ID: randomID(), Rev: 1, ExpiresAt: time.Now()}
		if i < ended {
			missing[r.ID] = true
		} else {
			r.ExpiresAt = time.Now().Add(time.Hour)
		}
		if err := s.Create(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if i == ended {
			if err := s.Delete(t.Context(), r.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	for timeout := time.After(20 * time.Second); len(missing) > 0; {
		select {
		case got := <-sink.changed:
			if want := (coatcheck.RecordChange{ID: got.ID, Expired: true}); missing[got.ID] && got != want || !missing[got.ID] && got.Expired {
				t.Fatalf("heard %+v; it has expired: %v", got, missing[got.ID])
			}
			delete(missing, got.ID)
		case <-sink.lost:
			t.Fatal("what was swept here counts as another's change")
		case <-sink.caughtUp:
		case <-timeout:
			t.Fatalf("%d records that have expired are not reported", len(missing))
		}
	}
}
