package memstore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
	"github.com/coatcheck/coatcheck/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func() (storetest.Target, error) {
		s, err := memstore.New(memstore.Config{})
		return storetest.Target{Store: s, Close: s.Close}, err
	})
}

// TestContractBesideTheSweeper has each record swept as soon as it expires.
func TestContractBesideTheSweeper(t *testing.T) {
	storetest.Run(t, func() (storetest.Target, error) {
		s, err := memstore.New(memstore.Config{SweepInterval: time.Millisecond})
		return storetest.Target{Store: s, Close: s.Close}, err
	})
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, config memstore.Config) *memstore.Store {
	t.Helper()
	s, err := memstore.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// record returns one of 1,000 bytes by the store's count, with the overhead.
func record(id string, life time.Duration) coatcheck.Record {
	return coatcheck.Record{ID: id, Rev: 1, Value: make([]byte, 488), ExpiresAt: time.Now().Add(life)}
}

func TestFullStoreRefusesAndKeeps(t *testing.T) {
	s := open(t, memstore.Config{MaxBytes: 3000})
	for i := range 3 {
		if err := s.Create(t.Context(), record(fmt.Sprint(i), time.Hour)); err != nil {
			t.Fatalf("record %d does not fit: %v", i, err)
		}
	}
	err := s.Create(t.Context(), record("one too many", time.Hour))
	if !errors.Is(err, memstore.ErrFull) || !errors.Is(err, coatcheck.ErrUnavailable) {
		t.Errorf("Create in a full store: %v, want ErrFull and ErrUnavailable", err)
	}
	larger := record("0", time.Hour)
	larger.Rev, larger.Value = 2, make([]byte, 489)
	if err := s.Update(t.Context(), larger); !errors.Is(err, memstore.ErrFull) {
		t.Errorf("Update to a larger value in a full store: %v, want ErrFull", err)
	}
	smaller := record("0", time.Hour)
	smaller.Rev, smaller.Value = 2, nil
	if err := s.Update(t.Context(), smaller); err != nil {
		t.Errorf("Update to a smaller value in a full store: %v", err)
	}
	for i := range 3 {
		if _, err := s.Load(t.Context(), fmt.Sprint(i)); err != nil {
			t.Errorf("record %d, which was acknowledged, is gone: %v", i, err)
		}
	}
	if err := s.Delete(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), record("as one has gone", time.Hour)); err != nil {
		t.Errorf("Create after a Delete: %v", err)
	}
}

func TestExpiredRecordsMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, memstore.Config{MaxBytes: 3000, SweepInterval: time.Hour})
		defer s.Close()
		for i := range 3 {
			if err := s.Create(t.Context(), record(fmt.Sprint(i), time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		for i := range 3 {
			if err := s.Create(t.Context(), record(fmt.Sprint("new", i), time.Hour)); err != nil {
				t.Errorf("an expired record, not swept yet, takes room: %v", err)
			}
		}
	})
}

func TestSweepKeepsTheLiving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, memstore.Config{SweepInterval: time.Minute})
		defer s.Close()
		const each = 600 // more than two batches
		for i := range each {
			for kind, life := range map[string]time.Duration{"short": time.Minute, "long": time.Hour} {
				if err := s.Create(t.Context(), record(fmt.Sprint(kind, i), life)); err != nil {
					t.Fatal(err)
				}
			}
		}
		touched, shortened := record("touched", time.Second), record("shortened", time.Hour)
		soon := record("soon", 2*time.Minute+30*time.Second) // half a minute after the sweep
		for _, r := range []coatcheck.Record{touched, shortened, soon} {
			if err := s.Create(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		touched.ExpiresAt = touched.ExpiresAt.Add(time.Hour)
		shortened.Rev, shortened.ExpiresAt = 2, time.Now().Add(time.Minute)
		if err := errors.Join(s.Touch(t.Context(), touched), s.Update(t.Context(), shortened)); err != nil {
			t.Fatal(err)
		}
		eternal := record("eternal", 0)
		eternal.ExpiresAt = time.Time{}
		if err := s.Create(t.Context(), eternal); err != nil {
			t.Fatal(err)
		}
		before := s.Bytes()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got, want := s.Bytes(), before-(each+1)*1000; got != want {
			t.Errorf("%d bytes in use after the sweep, want %d: each of %d short ones and the shortened one swept", got, want, each)
		}
		living := 0
		for _, err := range s.List(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			living++
		}
		if living != each+3 {
			t.Errorf("%d records live, want %d", living, each+3)
		}
	})
}

func TestBytesAreCountedToZero(t *testing.T) {
	s := open(t, memstore.Config{})
	r := record("a", time.Hour)
	steps := []error{s.Create(t.Context(), r)}
	r.Rev, r.Value, r.Subject = 2, make([]byte, 5000), "ada"
	r.Retired, r.Client = make([]coatcheck.Retired, 4), coatcheck.Client{Address: "192.0.2.1", UserAgent: "Lynx"}
	before := s.Bytes()
	steps = append(steps, s.Update(t.Context(), r))
	if got, texts := s.Bytes()-before, int64(5000-488+len("ada192.0.2.1Lynx")); got < texts+4*(16+2*8) {
		t.Errorf("a longer value, four retired secrets and texts are counted as %d bytes, want more than the texts' %d", got, texts)
	}
	r.ExpiresAt = r.ExpiresAt.Add(time.Hour)
	steps = append(steps, s.Touch(t.Context(), r))
	if err := errors.Join(append(steps, s.Delete(t.Context(), "a"))...); err != nil {
		t.Fatal(err)
	}
	if got := s.Bytes(); got != 0 {
		t.Errorf("an empty store has %d bytes in use", got)
	}
}

func TestClosedStore(t *testing.T) {
	s := open(t, memstore.Config{})
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	_, err := s.Load(t.Context(), "a")
	for what, err := range map[string]error{
		"Load":   err,
		"Create": s.Create(t.Context(), coatcheck.Record{ID: "a"}),
		"Update": s.Update(t.Context(), coatcheck.Record{ID: "a"}),
		"Touch":  s.Touch(t.Context(), coatcheck.Record{ID: "a"}),
		"Delete": s.Delete(t.Context(), "a"),
		"Ping":   s.Ping(t.Context()),
	} {
		if !errors.Is(err, coatcheck.ErrClosed) {
			t.Errorf("%s of a closed store: %v, want ErrClosed", what, err)
		}
	}
}

func TestConfigNamesAllFaults(t *testing.T) {
	_, err := memstore.New(memstore.Config{MaxBytes: -1, SweepInterval: -1})
	if !errors.Is(err, coatcheck.ErrInvalid) {
		t.Fatalf("New: %v, want ErrInvalid", err)
	}
	for _, field := range []string{"MaxBytes", "SweepInterval"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("the error does not name %s: %v", field, err)
		}
	}
}
