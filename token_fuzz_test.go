package coatcheck_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/coatcheck/coatcheck"
)

// FuzzTokenSplit feeds what anybody may send as a token.
func FuzzTokenSplit(f *testing.F) {
	f.Add(string(sample))
	for _, token := range malformedTokens() {
		f.Add(string(token))
	}
	// An independent statement of what is well-formed.
	wellFormed := regexp.MustCompile(`\A[A-Za-z0-9_-]{44}\z`)

	f.Fuzz(func(t *testing.T, text string) {
		token := coatcheck.Token(text)
		if string(token) != text {
			t.Fatal("the raw text does not survive the conversion")
		}
		if !wellFormed.MatchString(text) {
			if id := token.ID(); id != "" {
				t.Errorf("malformed, but has the ID %q", id)
			}
			if got := token.String(); got != "[no token]" && got != "[malformed token]" {
				t.Errorf("malformed, but prints %q", got)
			}
			return
		}

		id, secret := text[:22], text[22:]
		if token.ID() != id {
			t.Errorf("ID is %q, want %q", token.ID(), id)
		}
		if secret != id && strings.Contains(token.String(), secret) {
			t.Error("prints its secret")
		}
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var back coatcheck.Token
		if err := json.Unmarshal(quoted, &back); err != nil || back != token {
			t.Errorf("does not survive JSON: %v", err)
		}
	})
}
