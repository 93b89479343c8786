package coatcheck_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

func TestValueIsBehindItsToken(t *testing.T) {
	m, _ := open(t)
	ada := generate(t, m, profile{Name: "ada"})
	bob := generate(t, m, profile{Name: "bob", Visits: 7})
	wantValue(t, m, ada, profile{Name: "ada"})
	wantValue(t, m, bob, profile{Name: "bob", Visits: 7})
}

func TestAnyManagerOnTheStoreFindsIt(t *testing.T) {
	m, store := open(t)
	token := generate(t, m, profile{Name: "ada"})
	wantValue(t, newManager(t, config{Store: store}), token, profile{Name: "ada"})
}

func TestUpdateReplacesTheValue(t *testing.T) {
	m, _ := open(t)
	token := generate(t, m, profile{Name: "ada", Visits: 3})
	wantErr(t, "Update", m.Update(t.Context(), token, profile{Name: "bob"}), nil)
	wantValue(t, m, token, profile{Name: "bob"})
}

func TestChangeEditsTheNewestValue(t *testing.T) {
	m, _ := open(t)
	token := generate(t, m, profile{Name: "ada", Visits: 3})
	wantErr(t, "Change", m.Change(t.Context(), token, addVisit), nil)
	wantErr(t, "Change", m.Change(t.Context(), token, addVisit), nil)
	wantValue(t, m, token, profile{Name: "ada", Visits: 5})
}

func TestRefreshLeavesValueAndRevision(t *testing.T) {
	m, store := open(t)
	token := generate(t, m, profile{Name: "ada"})
	wantErr(t, "Refresh", m.Refresh(t.Context(), token), nil)
	wantValue(t, m, token, profile{Name: "ada"})
	if r := load(t, store, token); r.Rev != 1 {
		t.Errorf("revision %d after a Refresh, want 1", r.Rev)
	}
}

func TestDeleteEndsTheSession(t *testing.T) {
	m, store := open(t)
	token := generate(t, m, profile{Name: "ada"})
	spared := generate(t, m, profile{Name: "bob"})
	wantErr(t, "Delete", m.Delete(t.Context(), token), nil)
	for _, v := range verbs {
		wantErr(t, v.name, v.call(t.Context(), m, token), v.miss())
	}
	_, err := store.Load(t.Context(), token.ID())
	wantErr(t, "Load from the store", err, coatcheck.ErrNotFound)
	wantValue(t, m, spared, profile{Name: "bob"})
}

// What fn is given is a private copy, also of what it points to.
func TestChangeDoesNotReachIntoEarlierValues(t *testing.T) {
	m := newManager(t, coatcheck.Config[map[string]int]{Store: openStore(t)})
	given := map[string]int{"n": 1}
	token := generate(t, m, given)
	given["n"] = 99 // after Generate it is the caller's again
	before, err := m.Get(t.Context(), token)
	wantErr(t, "Get", err, nil)

	inc := func(v *map[string]int) error { (*v)["n"]++; return nil }
	wantErr(t, "Change", m.Change(t.Context(), token, inc), nil)
	after, err := m.Get(t.Context(), token)
	wantErr(t, "Get", err, nil)
	if before["n"] != 1 || after["n"] != 2 {
		t.Errorf("before the change %v, after it %v; want 1 and 2", before, after)
	}
}

// An ID is public. Whoever knows it, but not the secret, can do nothing.
func TestWrongSecretFindsNothingAndDoesNothing(t *testing.T) {
	m, store := open(t)
	token := generate(t, m, profile{Name: "ada"})
	before := load(t, store, token)
	wrong := map[string]coatcheck.Token{
		"last character": withWrongSecret(token),
		"ID twice":       coatcheck.Token(token.ID() + token.ID()),
		"another's":      coatcheck.Token(token.ID()) + generate(t, m, profile{})[22:],
		"other case":     coatcheck.Token(token.ID() + swapCase(string(token[22:]))),
	}
	calls := uint64(0)
	for name, guess := range wrong {
		for _, v := range verbs {
			wantErr(t, v.name+" with "+name, v.call(t.Context(), m, guess), v.miss())
			calls++
		}
	}
	if after := load(t, store, token); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the record changed from %+v to %+v", before, after)
	}
	wantValue(t, m, token, profile{Name: "ada"})
	if got := m.Stats().WrongSecrets; got != calls {
		t.Errorf("WrongSecrets is %d, want %d", got, calls)
	}
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r ^ 0x20
		}
		return r
	}, s)
}

func TestUnknownOrMalformedTokenFindsNothing(t *testing.T) {
	m, store := open(t)
	generate(t, m, profile{}, coatcheck.WithID(sampleID))
	tokens := malformedTokens()
	tokens["never issued"] = coatcheck.Token(strings.Repeat("x", 44))
	for name, token := range tokens {
		for _, v := range verbs {
			wantErr(t, v.name+" of "+name, v.call(t.Context(), m, token), v.miss())
		}
	}
	// Nobody has tried a secret here.
	if got := m.Stats().WrongSecrets; got != 0 {
		t.Errorf("WrongSecrets is %d, want 0", got)
	}
	if _, err := store.Load(t.Context(), sampleID); err != nil {
		t.Errorf("the one session there is: %v", err)
	}
}

// Whoever reads the store cannot log in.
func TestStoreHoldsNoSecret(t *testing.T) {
	m, store := open(t)
	tokens := map[string]coatcheck.Token{}
	for i := range 20 {
		token := generate(t, m, profile{Name: fmt.Sprint(i)}, coatcheck.ForSubject(fmt.Sprint("user", i)))
		wantErr(t, "Change", m.Change(t.Context(), token, addVisit), nil)
		tokens[token.ID()] = token
	}
	seen := 0
	for r, err := range coatcheck.List(t.Context(), store) {
		wantErr(t, "List", err, nil)
		seen++
		secret := string(tokens[r.ID][22:])
		raw, err := base64.RawURLEncoding.DecodeString(secret)
		wantErr(t, "decode the secret", err, nil)
		// All fields, and those of bytes also as hexadecimal and as text.
		dump := fmt.Sprintf("%+v %x %x %s", r, r.SecretHash, r.Value, r.Value)
		for _, leak := range []string{secret, hex.EncodeToString([]byte(secret)), hex.EncodeToString(raw)} {
			if strings.Contains(dump, leak) {
				t.Fatalf("the record of %s holds its secret: %s", r.ID, dump)
			}
		}
	}
	if seen != len(tokens) {
		t.Errorf("searched %d records, want %d", seen, len(tokens))
	}
}

// An Info and the record agree, whichever way it was come by.
func TestLookupTellsWhatIsKnown(t *testing.T) {
	m, store := open(t)
	token := generate(t, m, profile{Name: "ada"}, coatcheck.ForSubject("user-1"))
	wantErr(t, "Update", m.Update(t.Context(), token, profile{Name: "bob"}), nil)
	value, info, err := m.Lookup(t.Context(), token)
	if err != nil || value != (profile{Name: "bob"}) {
		t.Errorf("Lookup: %+v, %v", value, err)
	}
	r := load(t, store, token)
	want := coatcheck.Info{ID: token.ID(), Rev: 2, Subject: "user-1", CreatedAt: r.CreatedAt, RenewedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt,
		LastSeen: r.ExpiresAt.Add(-r.IdleTimeout),
	}
	if info != want {
		t.Errorf("Info is %+v, want %+v", info, want)
	}
}

func TestValueThatCannotBeEncodedIsInvalid(t *testing.T) {
	m := newManager(t, coatcheck.Config[any]{Store: openStore(t)})
	_, err := m.Generate(t.Context(), make(chan int))
	wantErr(t, "Generate", err, coatcheck.ErrInvalid)

	token := generate(t, m, any("good"))
	wantErr(t, "Update", m.Update(t.Context(), token, make(chan int)), coatcheck.ErrInvalid)
	set := func(v *any) error { *v = make(chan int); return nil }
	wantErr(t, "Change", m.Change(t.Context(), token, set), coatcheck.ErrInvalid)
	wantValue(t, m, token, any("good"))
}

func TestValueMayBeAsLargeAsTheLimitAndNoLarger(t *testing.T) {
	const limit = 10 // bytes of JSON: eight characters and two quotes
	m := newManager(t, coatcheck.Config[string]{Store: openStore(t), MaxValueBytes: limit})
	const fits, tooLarge = "12345678", "123456789"

	_, err := m.Generate(t.Context(), tooLarge)
	wantErr(t, "Generate", err, coatcheck.ErrTooLarge)
	token := generate(t, m, fits)

	set := func(to string) func(*string) error {
		return func(v *string) error { *v = to; return nil }
	}
	wantErr(t, "Update", m.Update(t.Context(), token, tooLarge), coatcheck.ErrTooLarge)
	wantErr(t, "Change", m.Change(t.Context(), token, set(tooLarge)), coatcheck.ErrTooLarge)
	wantValue(t, m, token, fits)
	wantErr(t, "Update that fits", m.Update(t.Context(), token, "abcdefgh"), nil)
	wantErr(t, "Change that fits", m.Change(t.Context(), token, set("ABCDEFGH")), nil)
	wantValue(t, m, token, "ABCDEFGH")
}

func TestValueOfAnotherTypeIsErrDecode(t *testing.T) {
	store := openStore(t)
	texts := newManager(t, coatcheck.Config[string]{Store: store})
	profiles := newManager(t, config{Store: store})
	token := generate(t, texts, "not a profile")
	before := load(t, store, token)

	wantErr(t, "Get", get.call(t.Context(), profiles, token), coatcheck.ErrDecode)
	wantErr(t, "Lookup", lookup.call(t.Context(), profiles, token), coatcheck.ErrDecode)
	err := profiles.Change(t.Context(), token, func(*profile) error {
		t.Error("fn was called on a value that does not exist")
		return nil
	})
	wantErr(t, "Change", err, coatcheck.ErrDecode)
	if errors.Is(err, coatcheck.ErrNotFound) {
		t.Error("it is reported as a miss")
	}
	if after := load(t, store, token); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the record changed from %+v to %+v", before, after)
	}
	// It is still of use to whom it belongs, and can be ended by anybody.
	wantValue(t, texts, token, "not a profile")
	wantErr(t, "Delete", profiles.Delete(t.Context(), token), nil)
	wantGone(t, texts, token)
}

// docs/REDIS.md tells programs in other languages to compute it, and only with
// the ID in it is a hash of no use in another record.
func TestHashIsSHA256OfTheWholeToken(t *testing.T) {
	m, store := open(t)
	tok := generate(t, m, profile{})
	if got := load(t, store, tok).SecretHash; got != sha256.Sum256([]byte(tok)) {
		t.Errorf("the record's hash is not SHA-256 of the token's 44 characters")
	}
}

// What was stored must not get into a log by way of an error.
func TestDecodeErrorsQuoteNoValue(t *testing.T) {
	store := openStore(t)
	m := newManager(t, coatcheck.Config[any]{Store: store})
	for what, c := range map[string]struct {
		stored any
		get    func(coatcheck.Token) error
	}{
		"a number for a string": {4111111111111111, func(tok coatcheck.Token) error {
			_, err := newManager(t, coatcheck.Config[string]{Store: store}).Get(t.Context(), tok)
			return err
		}},
		"a string that the type refuses": {"hunter2-4111111111111111", func(tok coatcheck.Token) error {
			_, err := newManager(t, coatcheck.Config[time.Time]{Store: store}).Get(t.Context(), tok)
			return err
		}},
	} {
		tok, err := m.Generate(t.Context(), c.stored)
		if err != nil {
			t.Fatal(err)
		}
		err = c.get(tok)
		wantErr(t, what, err, coatcheck.ErrDecode)
		if strings.Contains(err.Error(), "4111111111111111") {
			t.Errorf("%s: the error quotes the value", what)
		}
	}
}

func TestEncodeErrorsQuoteNoValue(t *testing.T) {
	m := newManager(t, coatcheck.Config[json.Number]{Store: openStore(t)})
	_, err := m.Generate(t.Context(), "hunter2")
	wantErr(t, "Generate of what is no number", err, coatcheck.ErrInvalid)
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error quotes the value")
	}
}
