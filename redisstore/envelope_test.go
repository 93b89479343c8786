package redisstore

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

var update = flag.Bool("update", false, "write the golden files anew")

func sample() coatcheck.Record {
	created := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	r := coatcheck.Record{
		ID:               "AAECAwQFBgcICQoLDA0ODw",
		Incarnation:      0xfedcba9876543210,
		Rev:              7,
		Subject:          "ada",
		Value:            []byte(`{"user":"ada"}`),
		CreatedAt:        created,
		ExpiresAt:        created.Add(30 * time.Minute),
		AbsoluteDeadline: created.Add(24 * time.Hour),
		IdleTimeout:      30 * time.Minute,
	}
	for i := range r.SecretHash {
		r.SecretHash[i] = byte(i)
	}
	return r
}

// TestEnvelopeGolden pins the bytes: programs in other languages, and older
// and newer versions of this one, read the same keys.
func TestEnvelopeGolden(t *testing.T) {
	bare := sample()
	bare.Subject, bare.Value = "", nil
	bare.ExpiresAt, bare.AbsoluteDeadline, bare.IdleTimeout = time.Time{}, time.Time{}, 0
	for name, want := range map[string]coatcheck.Record{"v1-full": sample(), "v1-bare": bare} {
		b, err := appendEnvelope(nil, &want)
		if err != nil {
			t.Fatal(err)
		}
		file := "testdata/" + name + ".hex"
		if *update {
			if err := os.WriteFile(file, []byte(hex.Dump(b)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		golden, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.Dump(b); got != string(golden) {
			t.Errorf("%s: the envelope has changed:\n%swant\n%s", name, got, golden)
		}
		got, err := parseEnvelope(want.ID, b)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Value) == 0 {
			got.Value = nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: parsed %+v, want %+v", name, got, want)
		}
	}
}

func TestEnvelopeRefusesLongSubject(t *testing.T) {
	r := sample()
	r.Subject = string(make([]byte, coatcheck.MaxSubjectBytes+1))
	if _, err := appendEnvelope(nil, &r); err == nil {
		t.Error("a subject whose length does not fit is accepted")
	}
}

// A deadline before 1970 must not turn into the 0 that stands for never.
func TestPastIsNotNever(t *testing.T) {
	for _, past := range []time.Time{time.Unix(0, 0), time.Unix(-1, 0), time.Unix(0, 0).Add(-time.Hour)} {
		if got := fromMillis(millis(past)); got.IsZero() || got.After(time.Unix(1, 0)) {
			t.Errorf("%v comes back as %v", past, got)
		}
	}
}

// FuzzEnvelope feeds any bytes to the parser: it must not panic, and what it
// accepts must be written back as the same bytes.
func FuzzEnvelope(f *testing.F) {
	r := sample()
	full, err := appendEnvelope(nil, &r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full)
	f.Add(full[:headerBytes])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseEnvelope("AAECAwQFBgcICQoLDA0ODw", b)
		if err != nil {
			return
		}
		again, err := appendEnvelope(nil, &r)
		if err != nil {
			t.Fatalf("cannot be written back: %v", err)
		}
		if !bytes.Equal(again, b) {
			t.Errorf("written back as\n%x, was\n%x", again, b)
		}
	})
}
