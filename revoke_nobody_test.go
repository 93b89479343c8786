package coatcheck_test

import (
	"testing"

	"github.com/coatcheck/coatcheck"
)

// A visitor who has not signed in must not end the sessions of others who have not,
// in a program that asks for no more than IfSubject.
func TestNobodyRevokesNothing(t *testing.T) {
	store := hook(t)
	m := newManager(t, coatcheck.Config[bag]{Store: store})
	for name, token := range map[string]coatcheck.Token{
		"nobody's": generate(t, m, bag{"a": 1}),
		"ada's":    generate(t, m, bag{"a": 1}, coatcheck.ForSubject("ada")),
	} {
		err := m.Revoke(t.Context(), token.ID(), coatcheck.IfSubject(""))
		wantErr(t, "Revoke of "+name, err, coatcheck.ErrNotFound)
		wantBehind(t, name, m, token, bag{"a": 1})
	}
}
