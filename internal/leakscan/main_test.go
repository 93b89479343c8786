package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
	if got, want := scan(log), []int{2, 4, 7}; !slices.Equal(got, want) {
		t.Errorf("tokens in lines %v, want %v", got, want)
	}

	// With every kind of character, whatever chance made of the one above.
	made := "AZaz09-_" + strings.Repeat("x", 35) + "Q"
	dir := t.TempDir()
	for name, c := range map[string]struct {
		text string
		code int
	}{"clean": {"nothing\n", 0}, "token": {"a " + made + "\n", 1}} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		var report bytes.Buffer
		if code := run([]string{file}, &report); code != c.code || strings.Contains(report.String(), made) {
			t.Errorf("%s: exit code %d, want %d; and the report must not repeat the token", name, code, c.code)
		}
	}
	if code := run([]string{filepath.Join(dir, "absent")}, io.Discard); code != 2 {
		t.Errorf("an absent file: exit code %d, want 2", code)
	}
}
