package coatcheck_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

func TestWithIDFilesTheSessionUnderIt(t *testing.T) {
	m, _ := open(t)
	first := generate(t, m, profile{Name: "first"}, coatcheck.WithID(sampleID))
	if first.ID() != sampleID {
		t.Errorf("ID is %q, want %q", first.ID(), sampleID)
	}
	token, err := m.Generate(t.Context(), profile{Name: "second"}, coatcheck.WithID(sampleID))
	wantErr(t, "the ID is taken", err, coatcheck.ErrExists)
	if token != "" {
		t.Error("got a token all the same")
	}
	wantValue(t, m, first, profile{Name: "first"})

	wantErr(t, "Delete", m.Delete(t.Context(), first), nil)
	third := generate(t, m, profile{Name: "third"}, coatcheck.WithID(sampleID))
	wantValue(t, m, third, profile{Name: "third"})
	if third == first {
		t.Error("the same ID was given the same secret twice")
	}
	wantGone(t, m, first) // the ID lives again, but not for the old token
}

func TestOptionIsRefused(t *testing.T) {
	tests := map[string]coatcheck.GenerateOption{
		"empty ID":                   coatcheck.WithID(""),
		"ID too short":               coatcheck.WithID(sampleID[1:]),
		"ID too long":                coatcheck.WithID(sampleID + "A"),
		"token as ID":                coatcheck.WithID(string(sample)),
		"ID with +":                  coatcheck.WithID("+" + sampleID[1:]),
		"ID with =":                  coatcheck.WithID(sampleID[1:] + "="),
		"ID with NUL":                coatcheck.WithID("\x00" + sampleID[1:]),
		"ID of 22 runes":             coatcheck.WithID("é" + sampleID[1:]),
		"subject too long":           coatcheck.ForSubject(strings.Repeat("s", 256)),
		"subject too long in bytes":  coatcheck.ForSubject(strings.Repeat("é", 128)),
		"subject not UTF-8":          coatcheck.ForSubject("\xff"),
		"zero idle timeout":          coatcheck.WithIdleTimeout(0),
		"negative idle timeout":      coatcheck.WithIdleTimeout(-time.Hour),
		"idle below a millisecond":   coatcheck.WithIdleTimeout(time.Millisecond - 1),
		"zero absolute timeout":      coatcheck.WithAbsoluteTimeout(0),
		"negative absolute timeout":  coatcheck.WithAbsoluteTimeout(-time.Hour),
		"absolute below millisecond": coatcheck.WithAbsoluteTimeout(time.Microsecond),
	}
	for name, opt := range tests {
		t.Run(name, func(t *testing.T) {
			m, store := open(t)
			_, err := m.Generate(t.Context(), profile{}, opt)
			wantErr(t, "Generate", err, coatcheck.ErrInvalid)
			for r := range coatcheck.List(t.Context(), store) {
				t.Errorf("stored %+v all the same", r)
			}
		})
	}
}

func TestForSubjectIsKeptWithTheSession(t *testing.T) {
	for name, subject := range map[string]string{
		"none":      "",
		"longest":   strings.Repeat("s", coatcheck.MaxSubjectBytes),
		"two bytes": strings.Repeat("é", 127),
		"NUL":       "a\x00b",
	} {
		t.Run(name, func(t *testing.T) {
			m, _ := open(t)
			token := generate(t, m, profile{}, coatcheck.ForSubject(subject))
			wantErr(t, "Change", m.Change(t.Context(), token, addVisit), nil)
			_, info, err := m.Lookup(t.Context(), token)
			if err != nil || info.Subject != subject {
				t.Errorf("subject %q, %v; want %q", info.Subject, err, subject)
			}
		})
	}
}

// All that is wrong is said at once, so that nobody has to try again and again.
func TestGenerateNamesAllFaultsAtOnce(t *testing.T) {
	m, _ := open(t)
	_, err := m.Generate(t.Context(), profile{}, coatcheck.WithID("x"), coatcheck.ForSubject("\xff"),
		coatcheck.WithIdleTimeout(-1), coatcheck.WithAbsoluteTimeout(-1))
	wantErr(t, "Generate", err, coatcheck.ErrInvalid)
	for _, what := range []string{"ID", "subject", "WithIdleTimeout", "WithAbsoluteTimeout"} {
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("error does not name %s: %v", what, err)
		}
	}
}

func TestWithInfoTellsWhatWasDone(t *testing.T) {
	m, store := open(t)
	ctx := t.Context()
	var info coatcheck.Info
	check := func(what string, token coatcheck.Token, rev uint64) {
		t.Helper()
		r := load(t, store, token)
		want := coatcheck.Info{ID: token.ID(), Rev: rev, Subject: "user-1", CreatedAt: r.CreatedAt, RenewedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt,
			LastSeen: r.ExpiresAt.Add(-r.IdleTimeout),
		}
		if info != want {
			t.Errorf("after %s: Info is %+v, want %+v", what, info, want)
		}
		info = coatcheck.Info{}
	}
	token := generate(t, m, profile{}, coatcheck.ForSubject("user-1"), coatcheck.WithInfo(&info))
	check("Generate", token, 1)
	wantErr(t, "Update", m.Update(ctx, token, profile{}, coatcheck.WithInfo(&info)), nil)
	check("Update", token, 2)
	wantErr(t, "Change", m.Change(ctx, token, addVisit, coatcheck.WithInfo(&info)), nil)
	check("Change", token, 3)
	wantErr(t, "Refresh", m.Refresh(ctx, token, coatcheck.WithInfo(&info)), nil)
	check("Refresh", token, 3)
}

func TestWithInfoIsLeftAloneByAFailure(t *testing.T) {
	m, _ := open(t)
	ctx := t.Context()
	before := coatcheck.Info{ID: "untouched", Rev: 42}
	info := before
	opt := coatcheck.WithInfo(&info)
	_, err := m.Generate(ctx, profile{}, opt, coatcheck.WithID("x"))
	wantErr(t, "Generate", err, coatcheck.ErrInvalid)
	wantErr(t, "Update", m.Update(ctx, sample, profile{}, opt), coatcheck.ErrNotFound)
	wantErr(t, "Change", m.Change(ctx, sample, addVisit, opt), coatcheck.ErrNotFound)
	wantErr(t, "Refresh", m.Refresh(ctx, sample, opt), coatcheck.ErrNotFound)

	token := generate(t, m, profile{})
	mine := errors.New("my own")
	wantErr(t, "Update", m.Update(ctx, token, profile{}, opt, coatcheck.IfRev(7)), coatcheck.ErrConflict)
	wantErr(t, "Change", m.Change(ctx, token, func(*profile) error { return mine }, opt), mine)
	if info != before {
		t.Errorf("Info is %+v", info)
	}
}

func TestIfRevAllowsThatRevisionOnly(t *testing.T) {
	updates := map[string]func(context.Context, *coatcheck.Manager[profile], coatcheck.Token, coatcheck.UpdateOption) error{
		"Update": func(ctx context.Context, m *coatcheck.Manager[profile], token coatcheck.Token, opt coatcheck.UpdateOption) error {
			return m.Update(ctx, token, profile{Name: "changed"}, opt)
		},
		"Change": func(ctx context.Context, m *coatcheck.Manager[profile], token coatcheck.Token, opt coatcheck.UpdateOption) error {
			return m.Change(ctx, token, func(p *profile) error { p.Name = "changed"; return nil }, opt)
		},
	}
	for name, update := range updates {
		t.Run(name, func(t *testing.T) {
			m, store := open(t)
			ctx := t.Context()
			token := generate(t, m, profile{Name: "ada"})
			wantErr(t, "make it revision 2", m.Update(ctx, token, profile{Name: "bob"}), nil)
			for _, rev := range []uint64{1, 3, 1<<64 - 1} {
				wantErr(t, "another revision", update(ctx, m, token, coatcheck.IfRev(rev)), coatcheck.ErrConflict)
			}
			wantValue(t, m, token, profile{Name: "bob"})
			wantErr(t, "this revision", update(ctx, m, token, coatcheck.IfRev(2)), nil)
			wantErr(t, "the same again", update(ctx, m, token, coatcheck.IfRev(2)), coatcheck.ErrConflict)
			wantValue(t, m, token, profile{Name: "changed"})
			if rev := load(t, store, token).Rev; rev != 3 {
				t.Errorf("revision %d, want 3", rev)
			}
			// That somebody has an old revision is no contention.
			if n := m.Stats().Conflicts; n != 0 {
				t.Errorf("Conflicts is %d, want 0", n)
			}
		})
	}
}

// A change that meets another after it was found to be at the right revision
// must not be tried again on a value that its caller has not seen.
func TestIfRevHoldsWhenOvertaken(t *testing.T) {
	store := hook(t)
	m := newManager(t, config{Store: store})
	other := newManager(t, config{Store: store.Store})
	token := generate(t, m, profile{Name: "ada"})
	overtaken := false
	store.before = func(method string) error {
		if method == "Update" && !overtaken {
			overtaken = true
			return other.Update(t.Context(), token, profile{Name: "bob"})
		}
		return nil
	}
	err := m.Update(t.Context(), token, profile{Name: "carol"}, coatcheck.IfRev(1))
	wantErr(t, "Update", err, coatcheck.ErrConflict)
	wantValue(t, m, token, profile{Name: "bob"})
}

func TestIfRevZeroNeverHolds(t *testing.T) {
	m, _ := open(t)
	tok := generate(t, m, profile{Name: "ada"})
	wantErr(t, "Update", m.Update(t.Context(), tok, profile{}, coatcheck.IfRev(0)), coatcheck.ErrConflict)
}
