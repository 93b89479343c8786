package memstore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/coatcheck/coatcheck"
)

// TestSubjectsAreKeptInAnyOrder holds the lists of neighbours against a set.
func TestSubjectsAreKeptInAnyOrder(t *testing.T) {
	names := []string{"", "ada", "grace"}
	index := make(subjects)
	var all []*item
	for step := range 5000 {
		if len(all) == 0 || rand.N(10) < 5 {
			it := &item{Record: coatcheck.Record{ID: fmt.Sprint(step), Subject: names[rand.N(len(names))]}}
			index.add(it)
			all = append(all, it)
		} else {
			i := rand.N(len(all))
			index.remove(all[i])
			all = slices.Delete(all, i, i+1)
		}
		for _, name := range names {
			var want []string
			for _, it := range all {
				if name != "" && it.Subject == name {
					want = append(want, it.ID)
				}
			}
			got := index.ids(name)
			if slices.Sort(got); !slices.Equal(got, sorted(want)) {
				t.Fatalf("step %d: of %q there are %v, want %v", step, name, got, want)
			}
		}
	}
	for _, it := range all {
		index.remove(it)
	}
	if len(index) > 0 {
		t.Errorf("%d subjects are left when all records are gone", len(index))
	}
}

func sorted(ids []string) []string {
	slices.Sort(ids)
	return ids
}
