package coatcheck_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
)

// wantDiscreet fails if the text of err shows more of the token than its ID.
func wantDiscreet(t *testing.T, what string, err error, token coatcheck.Token) {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), string(token[22:])) {
		t.Errorf("%s: the error shows the secret: %v", what, err)
	}
}

// A failure of the system is never reported as a miss.
func TestOutageIsUnavailableOnEveryVerb(t *testing.T) {
	cause := errors.New("connection refused")
	outage := fmt.Errorf("%w: %w", coatcheck.ErrUnavailable, cause)
	tests := []struct {
		method string // of the store, that fails
		verb   verb
	}{
		{"Load", get}, {"Load", lookup}, {"Load", update}, {"Load", change}, {"Load", refresh}, {"Load", remove},
		{"Update", update}, {"Update", change}, {"Touch", refresh}, {"Delete", remove},
	}
	for _, test := range tests {
		t.Run(test.verb.name+" when "+test.method+" fails", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := hook(t)
				m := newManager(t, config{Store: store, NearCache: storeOnly})
				token := generate(t, m, profile{Name: "ada"})
				time.Sleep(time.Second) // so that a Refresh has something to extend
				store.before = failing(outage, test.method)
				err := test.verb.call(t.Context(), m, token)
				wantErr(t, test.verb.name, err, coatcheck.ErrUnavailable)
				wantErr(t, test.verb.name, err, cause)
				if errors.Is(err, coatcheck.ErrNotFound) {
					t.Errorf("reported as a miss: %v", err)
				}
				wantDiscreet(t, test.verb.name, err, token)
				if !strings.Contains(fmt.Sprint(err), token.ID()) {
					t.Errorf("the error does not name the session: %v", err)
				}
				store.before = failing(nil)
				wantValue(t, m, token, profile{Name: "ada"})
			})
		})
	}
}

func TestOutageIsUnavailableOnGenerate(t *testing.T) {
	store := hook(t)
	m := newManager(t, config{Store: store, NearCache: storeOnly})
	store.before = failing(coatcheck.ErrUnavailable, "Create")
	token, err := m.Generate(t.Context(), profile{})
	wantErr(t, "Generate", err, coatcheck.ErrUnavailable)
	if token != "" {
		t.Error("got a token all the same")
	}
}

func TestEndedContextEndsEveryVerb(t *testing.T) {
	m, store := openStoreOnly(t)
	token := generate(t, m, profile{Name: "ada"})
	before := load(t, store, token)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := m.Generate(ended, profile{})
	wantErr(t, "Generate", err, context.Canceled)
	for _, v := range verbs {
		err := v.call(ended, m, token)
		wantErr(t, v.name, err, context.Canceled)
		wantDiscreet(t, v.name, err, token)
	}
	if after := load(t, store, token); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the record changed from %+v to %+v", before, after)
	}
}

func TestClosedManagerRefusesEveryVerb(t *testing.T) {
	m, store := openStoreOnly(t)
	token := generate(t, m, profile{Name: "ada"})
	wantErr(t, "Close", m.Close(), nil)
	wantErr(t, "Close again", m.Close(), nil)
	_, err := m.Generate(t.Context(), profile{})
	wantErr(t, "Generate", err, coatcheck.ErrClosed)
	for _, v := range verbs {
		err := v.call(t.Context(), m, token)
		wantErr(t, v.name, err, coatcheck.ErrClosed)
		wantDiscreet(t, v.name, err, token)
	}
	// The store is not the manager's: others go on using it.
	wantValue(t, newManager(t, config{Store: store, NearCache: storeOnly}), token, profile{Name: "ada"})
}

func TestClosedStoreIsReportedByEveryVerb(t *testing.T) {
	m, store := open(t)
	token := generate(t, m, profile{})
	wantErr(t, "Close", store.Close(), nil)
	for _, v := range verbs {
		wantErr(t, v.name, v.call(t.Context(), m, token), coatcheck.ErrClosed)
	}
}

// An everyday answer carries no context, so that it costs nothing.
func TestMissIsTheBareErrNotFound(t *testing.T) {
	m, _ := open(t)
	for _, v := range verbs {
		if err := v.call(t.Context(), m, sample); err != v.miss() {
			t.Errorf("%s: %v", v.name, err)
		}
	}
}

func TestConflictErrorShowsNoSecret(t *testing.T) {
	m, _ := open(t)
	token := generate(t, m, profile{})
	err := m.Update(t.Context(), token, profile{}, coatcheck.IfRev(7))
	wantErr(t, "Update", err, coatcheck.ErrConflict)
	wantDiscreet(t, "Update", err, token)
	if !strings.Contains(fmt.Sprint(err), token.ID()) {
		t.Errorf("the error does not name the session: %v", err)
	}
}

func TestClosedManagerSaysSoWhateverItIsAsked(t *testing.T) {
	m, _ := open(t)
	_ = m.Close()
	for _, v := range verbs {
		wantErr(t, v.name+" of a malformed token", v.call(t.Context(), m, malformed), coatcheck.ErrClosed)
	}
	small := newManager(t, coatcheck.Config[string]{Store: openStore(t), MaxValueBytes: 3})
	_ = small.Close()
	wantErr(t, "Update with too large a value", small.Update(t.Context(), sample, "too large"), coatcheck.ErrClosed)
}
