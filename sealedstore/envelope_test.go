package sealedstore

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

// testKey has the secret 00 01 … 1f.
func testKey(id KeyID) key {
	k := key{id: id, secret: make([]byte, keyLen)}
	for i := range k.secret {
		k.secret[i] = byte(i) + byte(id-goldenKey)
	}
	return k
}

const goldenKey KeyID = 0x0a1b2c3d

// golden are records whose sealed values other programs have made, too: the
// files were written by the Python package cryptography.
func golden() map[string]coatcheck.Record {
	full := coatcheck.Record{
		ID: "AAAAaaaaBBBBbbbbCCCCcc", Incarnation: 0xfedcba9876543210, Rev: 7, Subject: "ada", Value: []byte(`{"user":"ada"}`),
	}
	for i := range full.SecretHash {
		full.SecretHash[i] = byte(32 + i)
	}
	retired := full
	at := time.UnixMilli(1767225600000)
	retired.Retired = []coatcheck.Retired{{At: at, Until: at.Add(30 * time.Second)}, {At: at.Add(-time.Hour), Until: at.Add(-time.Hour)}}
	for i := range 2 * len(retired.Retired[0].Hash) {
		retired.Retired[i/16].Hash[i%16] = byte(64 + i)
	}
	return map[string]coatcheck.Record{
		"v1-full":    full,
		"v1-retired": retired,
		"v1-empty":   {ID: "0123456789-_abcdefghij", Incarnation: 1, Rev: 1},
	}
}

var goldenNonce = nonce{0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab}

func TestEnvelopeIsAsDocumented(t *testing.T) {
	k := testKey(goldenKey)
	ring := with([]key{testKey(1), k})
	document, err := os.ReadFile("../docs/ENCRYPTION.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range golden() {
		want, err := os.ReadFile("testdata/" + name + ".hex")
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := k.seal(&r, goldenNonce)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.Dump(sealed); got != string(want) {
			t.Errorf("%s: the envelope has changed:\n%swant\n%s", name, got, want)
		}
		var digits strings.Builder
		for row := range slices.Chunk(sealed, 16) {
			digits.WriteString(strings.TrimSpace(strings.Trim(hex.Dump(row)[8:58], " ")) + "\n")
		}
		if !strings.Contains(string(document), digits.String()) {
			t.Errorf("%s is not in docs/ENCRYPTION.md:\n%s", name, digits.String())
		}
		value := r.Value
		r.Value = sealed
		got, err := ring.open(&r)
		if err != nil || !bytes.Equal(got, value) {
			t.Errorf("%s opens as %q, %v; want %q", name, got, err, value)
		}
	}
}

// sealedGolden returns a keyring and a record whose value opens with it.
func sealedGolden(t testing.TB) (*Keyring, coatcheck.Record) {
	t.Helper()
	r := golden()["v1-full"]
	k := testKey(goldenKey)
	sealed, err := k.seal(&r, goldenNonce)
	if err != nil {
		t.Fatal(err)
	}
	r.Value = sealed
	return with([]key{k, testKey(goldenKey ^ 1)}), r
}

// wantRefused fails if the record's value opens, or if the error shows any of
// the golden value.
func wantRefused(t *testing.T, what string, ring *Keyring, r coatcheck.Record) {
	t.Helper()
	value, err := ring.open(&r)
	if err == nil {
		t.Errorf("%s: opens as %q", what, value)
	} else if strings.Contains(err.Error(), "user") {
		t.Errorf("%s: the error shows the value: %v", what, err)
	}
}

func TestTamperedAtAnyBitIsRefused(t *testing.T) {
	ring, r := sealedGolden(t)
	whole := r.Value
	for i := range whole {
		for bit := range 8 {
			r.Value = slices.Clone(whole)
			r.Value[i] ^= 1 << bit
			wantRefused(t, "bit "+string(rune('0'+bit))+" of byte changed", ring, r)
		}
	}
	r.Value = whole
	if _, err := ring.open(&r); err != nil {
		t.Fatal(err)
	}
}

func TestOfAnotherLengthIsRefused(t *testing.T) {
	ring, r := sealedGolden(t)
	whole := r.Value
	for n := range whole {
		r.Value = whole[:n]
		wantRefused(t, "cut short", ring, r)
		r.Value = whole[n+1:]
		wantRefused(t, "without its beginning", ring, r)
	}
	r.Value = append(slices.Clone(whole), 0)
	wantRefused(t, "with a byte more", ring, r)
	r.Value = append(slices.Clone(whole), whole...)
	wantRefused(t, "twice", ring, r)
}

// TestValueIsBoundToItsRecord tells what a value is sealed together with, and
// what may change without it.
func TestValueIsBoundToItsRecord(t *testing.T) {
	for what, change := range map[string]func(*coatcheck.Record){
		"ID":                       func(r *coatcheck.Record) { r.ID = "AAAAaaaaBBBBbbbbCCCCcd" },
		"incarnation":              func(r *coatcheck.Record) { r.Incarnation ^= 1 << 63 },
		"incarnation's last":       func(r *coatcheck.Record) { r.Incarnation ^= 1 },
		"hash":                     func(r *coatcheck.Record) { r.SecretHash[0] ^= 1 },
		"hash's last":              func(r *coatcheck.Record) { r.SecretHash[31] ^= 1 },
		"subject":                  func(r *coatcheck.Record) { r.Subject = "adb" },
		"subject, longer":          func(r *coatcheck.Record) { r.Subject = "ada " },
		"no subject":               func(r *coatcheck.Record) { r.Subject = "" },
		"ID that ends a bit later": func(r *coatcheck.Record) { r.ID, r.Subject = r.ID+"a", "da" },
	} {
		ring, r := sealedGolden(t)
		change(&r)
		wantRefused(t, what, ring, r)
	}
	ring, r := sealedGolden(t)
	r.Rev, r.IdleTimeout, r.ExpiresAt = 99, 1, r.ExpiresAt.Add(1)
	if _, err := ring.open(&r); err != nil {
		t.Errorf("with another revision and other times: %v", err)
	}
}

// TestBoundDataIsUnambiguous: although the key depends on the ID alone, no two
// records have the same text to be bound to.
func TestBoundDataIsUnambiguous(t *testing.T) {
	a := coatcheck.Record{ID: "ab", Subject: "c"}
	b := coatcheck.Record{ID: "a", Subject: "bc"}
	old := coatcheck.Retired{Hash: [16]byte([]byte("0123456789abcdef")), At: time.UnixMilli(1), Until: time.UnixMilli(2)}
	c := coatcheck.Record{ID: "ab", Retired: []coatcheck.Retired{old}, Subject: "c"}
	d := coatcheck.Record{ID: "ab", Subject: "0123456789abcdef\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02c"}
	head := make([]byte, nonceAt)
	if bytes.Equal(bound(head, &a), bound(head, &b)) || bytes.Equal(bound(head, &c), bound(head, &d)) {
		t.Error("two records are bound alike")
	}
	if data := bound(head, &c); cap(data) != len(data) {
		t.Errorf("with a retired secret, room for %d bytes was made for %d", cap(data), len(data))
	}
	if data := bound(head, &a); cap(data) != len(data) {
		t.Errorf("room for %d bytes was made for %d", cap(data), len(data))
	}
}

func TestEachSessionHasAKeyOfItsOwn(t *testing.T) {
	k := testKey(goldenKey)
	one, other := golden()["v1-full"], golden()["v1-full"]
	other.ID = "BBBBaaaaBBBBbbbbCCCCcc"
	a, errA := k.seal(&one, goldenNonce)
	b, errB := k.seal(&other, goldenNonce)
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	end := len(a) - tagLen // the text alone, for the tag differs in any case
	if bytes.Equal(a[textAt:end], b[textAt:end]) {
		t.Error("with the same nonce two sessions have the same text: one key for both")
	}
}

func TestOpenSharesNoMemory(t *testing.T) {
	ring, r := sealedGolden(t)
	before := slices.Clone(r.Value)
	value, err := ring.open(&r)
	if err != nil {
		t.Fatal(err)
	}
	clear(value)
	if !bytes.Equal(r.Value, before) {
		t.Error("the sealed value was changed")
	}
}

func TestErrorNamesTheMissingKeyOnly(t *testing.T) {
	_, r := sealedGolden(t)
	_, err := with([]key{testKey(goldenKey ^ 1)}).open(&r)
	if want := "the value is sealed with key 0a1b2c3d, which is not in the keyring"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

func FuzzOpen(f *testing.F) {
	ring, r := sealedGolden(f)
	whole := r.Value
	f.Add(whole, r.ID, r.Subject, r.Incarnation)
	f.Add(whole[:Overhead], r.ID, r.Subject, r.Incarnation)
	f.Add([]byte{}, "", "", uint64(0))
	f.Add([]byte{version}, r.ID, "ada", uint64(1))
	f.Add(binary.BigEndian.AppendUint32([]byte{version}, uint32(goldenKey)), r.ID, "ada", uint64(1))
	f.Fuzz(func(t *testing.T, sealed []byte, id, subject string, incarnation uint64) {
		changed := r
		changed.Value, changed.ID, changed.Subject, changed.Incarnation = slices.Clone(sealed), id, subject, incarnation
		value, err := ring.open(&changed)
		genuine := bytes.Equal(sealed, whole) && id == r.ID && subject == r.Subject && incarnation == r.Incarnation
		if (err == nil) != genuine {
			t.Errorf("opens as %q, %v: genuine %v", value, err, genuine)
		}
		// And whatever there is to seal comes back, for its record only.
		changed.Value = sealed
		k := testKey(goldenKey)
		again, err := k.seal(&changed, goldenNonce)
		if err != nil || len(again) != len(sealed)+Overhead {
			t.Fatalf("seals to %d bytes, %v", len(again), err)
		}
		changed.Value = again
		if value, err := ring.open(&changed); err != nil || !bytes.Equal(value, sealed) {
			t.Errorf("opens as %q, %v; want %q", value, err, sealed)
		}
		changed.Incarnation++
		if _, err := ring.open(&changed); err == nil {
			t.Error("opens in a later incarnation")
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	for name, size := range map[string]int{"100B": 100, "1KiB": 1 << 10, "64KiB": 64 << 10} {
		b.Run(name, func(b *testing.B) {
			k := testKey(goldenKey)
			r := golden()["v1-full"]
			r.Value = make([]byte, size)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.seal(&r, goldenNonce); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for name, size := range map[string]int{"100B": 100, "1KiB": 1 << 10, "64KiB": 64 << 10} {
		b.Run(name, func(b *testing.B) {
			k := testKey(goldenKey)
			r := golden()["v1-full"]
			r.Value = make([]byte, size)
			sealed, err := k.seal(&r, goldenNonce)
			if err != nil {
				b.Fatal(err)
			}
			r.Value = sealed
			ring := with([]key{k})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ring.open(&r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
