package redisstore

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

var update = flag.Bool("update", false, "write the golden files of the present version anew")

const sampleID = "AAECAwQFBgcICQoLDA0ODw"

// sample is what the golden file v1-full holds.
func sample() coatcheck.Record {
	created := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	r := coatcheck.Record{
		ID:               sampleID,
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

// fullSample has all that version 2 can hold besides.
func fullSample() coatcheck.Record {
	r := sample()
	r.Client = coatcheck.Client{Address: "203.0.113.7", UserAgent: "curl/8"}
	for i, ago := range []time.Duration{10 * time.Minute, 20 * time.Minute} {
		at := r.CreatedAt.Add(30*time.Minute - ago)
		old := coatcheck.Retired{At: at, Until: at.Add(time.Duration(i) * 10 * time.Second)}
		for j := range old.Hash {
			old.Hash[j] = byte(0x80 + 0x10*i + j)
		}
		r.Retired = append(r.Retired, old)
	}
	return r
}

func bareSample() coatcheck.Record {
	r := sample()
	r.Subject, r.Value = "", nil
	r.ExpiresAt, r.AbsoluteDeadline, r.IdleTimeout = time.Time{}, time.Time{}, 0
	return r
}

// dumped is the text of a golden file, and of the example in docs/REDIS.md.
func dumped(b []byte) string { return hex.Dump(b) }

// undumped is what such a text stands for.
func undumped(t *testing.T, text []byte) (b []byte) {
	t.Helper()
	for line := range strings.Lines(string(text)) {
		_, line, _ = strings.Cut(line, "  ")
		line, _, _ = strings.Cut(line, "|")
		part, err := hex.DecodeString(strings.Join(strings.Fields(line), ""))
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, part...)
	}
	return b
}

// TestEnvelopeGolden pins the bytes: programs in other languages, and older
// and newer versions of this one, read the same keys. Those of version 1 are no
// longer written, but read.
func TestEnvelopeGolden(t *testing.T) {
	for name, want := range map[string]coatcheck.Record{
		"v1-full": sample(), "v1-bare": bareSample(), "v2-full": fullSample(), "v2-bare": bareSample(),
	} {
		b, err := appendEnvelope(nil, &want)
		if err != nil {
			t.Fatal(err)
		}
		file, present := "testdata/"+name+".hex", strings.HasPrefix(name, "v2-")
		if *update && present {
			if err := os.WriteFile(file, []byte(dumped(b)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		golden, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := dumped(b); present && got != string(golden) {
			t.Errorf("%s: the envelope has changed:\n%swant\n%s", name, got, golden)
		}
		got, err := parseEnvelope(want.ID, undumped(t, golden))
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

// TestExampleInDocument holds the example in docs/REDIS.md against the golden
// file that it names.
func TestExampleInDocument(t *testing.T) {
	doc, err := os.ReadFile("../docs/REDIS.md")
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/v2-full.hex")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(golden)) {
		_, shown, _ := strings.Cut(line, "  ") // without the offset
		if !strings.Contains(string(doc), "\n"+shown) {
			t.Errorf("docs/REDIS.md does not show %q", shown)
		}
	}
}

func TestEnvelopeRefusesWhatDoesNotFit(t *testing.T) {
	long := strings.Repeat("x", 256)
	afterAll := time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)
	for what, edit := range map[string]func(*coatcheck.Record){
		"long subject":         func(r *coatcheck.Record) { r.Subject = long },
		"long address":         func(r *coatcheck.Record) { r.Client.Address = long },
		"long user agent":      func(r *coatcheck.Record) { r.Client.UserAgent = long },
		"many retired secrets": func(r *coatcheck.Record) { r.Retired = make([]coatcheck.Retired, coatcheck.MaxRetired+1) },
		"late deadline":        func(r *coatcheck.Record) { r.ExpiresAt = afterAll },
		"late grace": func(r *coatcheck.Record) {
			r.Retired = []coatcheck.Retired{{Until: afterAll}}
		},
		"late retirement": func(r *coatcheck.Record) {
			r.Retired = []coatcheck.Retired{{At: afterAll}}
		},
	} {
		r := sample()
		edit(&r)
		if _, err := appendEnvelope(nil, &r); !errors.Is(err, coatcheck.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", what, err)
		}
	}
}

// The longest head must fit into what a listing reads of each record.
func TestLongestHead(t *testing.T) {
	long := strings.Repeat("x", 255)
	r := sample()
	r.Subject, r.Client, r.Value = long, coatcheck.Client{Address: long, UserAgent: long}, nil
	r.Retired = make([]coatcheck.Retired, coatcheck.MaxRetired)
	b, err := appendEnvelope(nil, &r)
	if err != nil || len(b) != longestHead {
		t.Errorf("the longest head has %d bytes (error %v), want %d", len(b), err, longestHead)
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

// FuzzEnvelope feeds any bytes to the parser. It must not panic; what it accepts
// must be written back as the same bytes, or, if it was of version 1, as bytes
// that say the same; and it must refuse what is cut off before the value.
func FuzzEnvelope(f *testing.F) {
	for _, r := range []coatcheck.Record{sample(), fullSample(), bareSample()} {
		b, err := appendEnvelope(nil, &r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:headerBytes])
	}
	first := append(bytes.Repeat([]byte{0}, subjectAt), 3, 'a', 'd', 'a', '{', '}')
	first[0] = firstVersion
	f.Add(first)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseEnvelope(sampleID, b)
		if err != nil {
			return
		}
		again, err := appendEnvelope(nil, &r)
		if err != nil {
			t.Fatalf("cannot be written back: %v", err)
		}
		if b[0] == envelopeVersion && !bytes.Equal(again, b) {
			t.Errorf("written back as\n%x, was\n%x", again, b)
		}
		if !bytes.Equal(again[1:subjectAt], b[1:subjectAt]) {
			t.Errorf("the first fields are written back as\n%x, were\n%x", again[1:subjectAt], b[1:subjectAt])
		}
		if back, err := parseEnvelope(sampleID, again); err != nil || !reflect.DeepEqual(back, r) {
			t.Errorf("%+v comes back as %+v, %v", r, back, err)
		}
		head := len(b) - len(r.Value)
		if head > longestHead {
			t.Errorf("the head has %d bytes, at most %d are read by a listing", head, longestHead)
		}
		for n := range head {
			if _, err := parseEnvelope(sampleID, b[:n]); err == nil {
				t.Fatalf("accepted, cut off after %d of %d bytes of head", n, head)
			}
		}
		if many := bytes.Clone(b); b[0] == envelopeVersion {
			many[retiredAt] = coatcheck.MaxRetired + 1 + many[retiredAt]%(255-coatcheck.MaxRetired)
			many = append(many, make([]byte, 256*retiredBytes)...)
			if _, err := parseEnvelope(sampleID, many); err == nil {
				t.Errorf("accepted with %d retired secrets", many[retiredAt])
			}
		}
	})
}
