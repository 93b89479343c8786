package coatcheck_test

import (
	"strings"
	"testing"

	"github.com/coatcheck/coatcheck"
)

// Whoever passes a token where its ID belongs must not find it in a log.
func TestTokenInPlaceOfAnIDIsNotRepeated(t *testing.T) {
	m, _ := open(t)
	token := generate(t, m, profile{}, coatcheck.ForSubject("ada"))
	_, described := m.Describe(t.Context(), string(token))
	for what, err := range map[string]error{"Describe": described, "Revoke": m.Revoke(t.Context(), string(token))} {
		wantErr(t, what, err, coatcheck.ErrInvalid)
		if strings.Contains(err.Error(), string(token[22:])) {
			t.Errorf("%s: the error repeats the token", what)
		}
	}
}

func TestSubjectThatNobodyCanHaveIsRefused(t *testing.T) {
	m, _ := open(t)
	for _, subject := range []string{"", "\xff", strings.Repeat("x", coatcheck.MaxSubjectBytes+1)} {
		_, err := m.Sessions(t.Context(), subject)
		wantErr(t, "Sessions", err, coatcheck.ErrInvalid)
		_, err = m.RevokeAll(t.Context(), subject)
		wantErr(t, "RevokeAll", err, coatcheck.ErrInvalid)
	}
}
