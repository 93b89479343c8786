package redisstore

import (
	"os"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
)

// firstVersionRecord stores what an older version of this package wrote of the
// sample, but with no deadlines and another value, and returns it as it is to be read.
func firstVersionRecord(t *testing.T, server *redistest.Server) coatcheck.Record {
	t.Helper()
	golden, err := os.ReadFile("testdata/v1-full.hex")
	if err != nil {
		t.Fatal(err)
	}
	b := undumped(t, golden)
	clear(b[expiresAt:createdAt])
	copy(b[headerBytes:], "ada") // where version 2 has the subject, the value
	client := server.Client()
	if err := client.Do(t.Context(), client.B().Set().Key(DefaultPrefix+sampleID).Value(string(b)).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	want := sample()
	want.ExpiresAt, want.AbsoluteDeadline = time.Time{}, time.Time{}
	copy(want.Value, "ada")
	return want
}

func openStore(t *testing.T, server *redistest.Server, config Config) *Store {
	t.Helper()
	s, err := Open(t.Context(), server.URL(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// storedVersion returns the first byte of a stored envelope.
func storedVersion(t *testing.T, s *Store, id string) byte {
	t.Helper()
	b, err := s.client.Do(t.Context(), s.client.B().Get().Key(s.prefix+id).Build()).AsBytes()
	if err != nil || len(b) == 0 {
		t.Fatalf("stored: %x, %v", b, err)
	}
	return b[0]
}

// Records of older versions are read, touched and deleted as they are, and are
// of the present version once they have been changed.
func TestFirstVersionLivesOn(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server, Config{})
	want := firstVersionRecord(t, server)

	got, err := s.Load(t.Context(), want.ID)
	if err != nil || got.Subject != want.Subject || string(got.Value) != string(want.Value) {
		t.Fatalf("Load of a record of version 1: %+v, %v", got, err)
	}
	if err := s.Touch(t.Context(), want); err != nil {
		t.Errorf("Touch of a record of version 1: %v", err)
	}
	stale := want
	if err := s.Update(t.Context(), stale); err != coatcheck.ErrConflict {
		t.Errorf("stale Update of a record of version 1: %v, want ErrConflict", err)
	}
	if v := storedVersion(t, s, want.ID); v != firstVersion {
		t.Errorf("the version is %d before any change", v)
	}
	got.Rev++
	if err := s.Update(t.Context(), got); err != nil {
		t.Fatalf("Update of a record of version 1: %v", err)
	}
	if v := storedVersion(t, s, want.ID); v != envelopeVersion {
		t.Errorf("the version is %d after a change, want %d", v, envelopeVersion)
	}

	firstVersionRecord(t, server)
	if err := s.Delete(t.Context(), want.ID); err != nil {
		t.Errorf("Delete of a record of version 1: %v", err)
	}
	if _, err := s.Load(t.Context(), want.ID); err != coatcheck.ErrNotFound {
		t.Errorf("Load of a deleted record: %v, want ErrNotFound", err)
	}
}

// TestUpdateSparesWhatItDoesNotKnow: what a later version may have written in the
// place, or others, is not overwritten, even if it begins like the record.
func TestUpdateSparesWhatItDoesNotKnow(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server, Config{})
	client := server.Client()
	for _, subject := range []string{"", "ada"} {
		r := sample()
		r.ExpiresAt, r.Subject = time.Time{}, subject
		whole, err := newEnvelope(&r)
		if err != nil {
			t.Fatal(err)
		}
		later := append([]byte{envelopeVersion + 1}, whole[1:]...)
		for what, stored := range map[string][]byte{
			"of a later version": later, "cut off": whole[:revisionAt+8], "half a head": whole[:40], "empty": {},
		} {
			key := s.prefix + r.ID
			if err := client.Do(t.Context(), client.B().Set().Key(key).Value(string(stored)).Build()).Error(); err != nil {
				t.Fatal(err)
			}
			next := r
			next.Rev++
			if err := s.Update(t.Context(), next); err != coatcheck.ErrNotFound {
				t.Errorf("%s, subject %q: %v, want ErrNotFound", what, subject, err)
			}
			if got, err := client.Do(t.Context(), client.B().Get().Key(key).Build()).AsBytes(); err != nil || string(got) != string(stored) {
				t.Errorf("%s, subject %q: became %x, %v", what, subject, got, err)
			}
		}
	}
}
