package sealedstore_test

import (
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/sealedstore"
)

// TestSubjectIsListedWithoutItsValues: whoever ends all sessions of a user ends
// those, too, whose key is lost.
func TestSubjectIsListedWithoutItsValues(t *testing.T) {
	inner, ctx := memory(t), t.Context()
	r := record(one)
	r.Retired = []coatcheck.Retired{{Hash: [16]byte{1}, At: r.CreatedAt, Until: r.CreatedAt.Add(time.Minute)}}
	r.Client = coatcheck.Client{Address: "192.0.2.1", UserAgent: "Lynx"}
	must(t, open(t, inner, sealedstore.NewKeyring()).Create(ctx, r))
	must(t, open(t, inner, sealedstore.NewKeyring()).Create(ctx, record(other)))

	s := open(t, inner, sealedstore.NewKeyring()) // which opens neither
	found := make(map[string]coatcheck.Record)
	for r, err := range s.ListSubject(ctx, "ada") {
		must(t, err)
		found[r.ID] = r
		if r.Value != nil {
			t.Errorf("a value of %d bytes is listed", len(r.Value))
		}
	}
	if _, ok := found[other]; !ok || len(found) != 2 {
		t.Errorf("%d records are listed, want both", len(found))
	}
	if got := found[one]; got.Client != r.Client || len(got.Retired) != 1 || got.Retired[0] != r.Retired[0] {
		t.Errorf("listed with client %+v and %d retired secrets, want %+v and the one that was given", got.Client, len(got.Retired), r.Client)
	}
}
