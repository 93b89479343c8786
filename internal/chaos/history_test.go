package chaos

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestRecordsSurviveTheFile(t *testing.T) {
	want := []Record{
		{Start: 1, End: 2, Op: 3 << 48, Session: 4, Rev: 5, N: 6, Kind: Change, Outcome: Conflict, Node: 7},
		{Start: 1 << 60, End: 1<<60 + 1, Op: 1<<64 - 1, Session: 2, Rev: 1<<32 - 1, N: 1<<32 - 1, Secret: NoSecret, Kind: Delete, Outcome: Failed, Node: Outside},
		{Start: 3, End: 3, Op: 5, Secret: 4<<48 + 1, Session: 4, Rev: 7, N: 6, Kind: Renew, Node: 4, Grace: true},
		{Session: 4},
	}
	dir := t.TempDir()
	var files []string
	for i, part := range [][]Record{want[:2], want[2:], nil} {
		files = append(files, filepath.Join(dir, string(rune('a'+i))))
		recorder, err := NewRecorder(files[i])
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range part {
			recorder.Add(r)
		}
		if err := recorder.Close(); err != nil {
			t.Fatal(err)
		}
	}
	h, err := ReadHistory(files...)
	if err != nil {
		t.Fatal(err)
	}
	if h.Len() != 4 || !slices.Equal(h.session(4), []Record{want[0], want[2], want[3]}) ||
		!slices.Equal(h.session(2), want[1:2]) || len(h.session(0)) != 0 || len(h.session(3)) != 0 {
		t.Errorf("read %+v", h)
	}
}

func TestADamagedFileIsRefused(t *testing.T) {
	good := (&Record{Start: 1, End: 2}).append(nil)
	for what, content := range map[string][]byte{
		"cut short":           append(slices.Clone(good), good[:recordBytes-1]...),
		"an unknown kind":     (&Record{Kind: kinds}).append(nil),
		"an unknown outcome":  (&Record{Outcome: outcomes}).append(nil),
		"ended before begun":  (&Record{Start: 2, End: 1}).append(nil),
		"an unlikely session": (&Record{Session: maxSession + 1}).append(nil),
		"a grace of a Change": (&Record{Kind: Change, Grace: true}).append(nil),
		"a Get of no token":   (&Record{Kind: Get, Secret: NoSecret}).append(nil),
		"an unknown flag":     append(slices.Clone(good[:recordBytes-1]), 2),
	} {
		file := filepath.Join(t.TempDir(), "history")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadHistory(file); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if _, err := ReadHistory(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no file: no error")
	}
}

// BenchmarkCheck is a million operations, a sixth of them on one session.
func BenchmarkCheck(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(random, 1.1, 2, 199)
	revs := map[uint32]uint32{}
	var records []Record
	for i := range 1_000_000 {
		session := uint32(zipf.Uint64())
		kind := Get
		switch {
		case revs[session] == 0:
			kind, revs[session] = Create, 1
		case i%10 == 0:
			kind, revs[session] = Change, revs[session]+1
		}
		r := made(kind, uint8(i%4), float64(i), float64(i)+0.9, revs[session])
		r.Session = session
		records = append(records, r)
	}
	for b.Loop() {
		if report := Check(NewHistory(records...), limits); report.Violations != [promises]int{} {
			b.Fatal(report.Examples)
		}
	}
}
