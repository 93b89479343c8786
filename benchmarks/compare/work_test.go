package compare

import (
	"fmt"
	"slices"
	"testing"
)

func TestArenas(t *testing.T) {
	measured := func(full bool) (all []string) {
		for _, a := range Arenas(full) {
			for _, name := range a.Works {
				if works[name].name != name {
					t.Errorf("there is no work %q", name)
				}
				all = append(all, fmt.Sprintf("%s, %s, %s", name, size(a.Value), crowded(a.Clients)))
			}
		}
		return all
	}
	short, long := measured(false), measured(true)
	// Five in the middle, two sizes and three numbers more for each main work, and
	// the reads by few.
	if want := 5 + 3*(2+3) + 1; len(short) != want {
		t.Errorf("%d works are measured, want %d", len(short), want)
	}
	if want := 5*3*4 + 1; len(long) != want {
		t.Errorf("%d works are measured in full, want %d", len(long), want)
	}
	for _, all := range [][]string{short, long} {
		if slices.Sort(all); len(slices.Compact(all)) != len(all) {
			t.Errorf("measured twice: %q", all)
		}
	}
	for _, want := range []string{"log out, 100 B, 64 clients", "change, 16 KiB, 64 clients", "read, 100 B, 512 clients", "read, 100 B, 2 clients"} {
		if !slices.Contains(short, want) {
			t.Errorf("%q is not measured", want)
		}
	}
}
