package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/memstore"
)

// A test that logged a token would fail the run that it is part of: so the
// tokens here are not printed.
func TestFindsTokens(t *testing.T) {
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	m, err := coatcheck.New(coatcheck.Config[int]{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	token, err := m.Generate(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	log := strings.Join([]string{
		"nothing",
		"token=" + string(token),
		fmt.Sprint("redacted ", token),
		`{"token":"` + string(token) + `"}`,
		"TestThatANameOfFortyFourCharactersIsNoTokenA",
		"part of something longer: x" + string(token),
		string(token),
	}, "\n")
	got, err := scan(strings.NewReader(log))
	if want := []int{2, 4, 7}; err != nil || !slices.Equal(got, want) {
		t.Errorf("tokens in lines %v (error %v), want %v", got, err, want)
	}
}
