package coatcheck_test

import (
	"errors"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

func wantStatus(t testing.TB, what string, s *coatcheck.Session[bag], want coatcheck.SessionStatus) {
	t.Helper()
	if got := s.Status(); got != want {
		t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

func TestStatusTellsUse(t *testing.T) {
	ctx := t.Context()
	for name, c := range map[string]struct {
		call func(*coatcheck.Session[bag])
		want bool
	}{
		"Get":         {func(s *coatcheck.Session[bag]) { _, _ = s.Get(ctx) }, true},
		"Change":      {func(s *coatcheck.Session[bag]) { _ = s.Change(ctx, count("b")) }, true},
		"Renew":       {func(s *coatcheck.Session[bag]) { s.Renew() }, true},
		"SetSubject":  {func(s *coatcheck.Session[bag]) { _ = s.SetSubject("ada") }, true},
		"Info":        {func(s *coatcheck.Session[bag]) { _, _ = s.Info(ctx) }, true},
		"Token":       {func(s *coatcheck.Session[bag]) { _ = s.Token() }, true},
		"ID":          {func(s *coatcheck.Session[bag]) { _ = s.ID() }, true},
		"Destroy":     {func(s *coatcheck.Session[bag]) { _ = s.Destroy(ctx) }, true},
		"MarshalJSON": {func(s *coatcheck.Session[bag]) { _, _ = s.MarshalJSON() }, true},

		// What whoever carries the token does, or tells nothing of the session.
		"Status":   {func(s *coatcheck.Session[bag]) { s.Status() }, false},
		"Flush":    {func(s *coatcheck.Session[bag]) { _ = s.Flush(ctx) }, false},
		"FixToken": {func(s *coatcheck.Session[bag]) { s.FixToken(true) }, false},
		"Reload":   {func(s *coatcheck.Session[bag]) { s.Reload() }, false},
		"String":   {func(s *coatcheck.Session[bag]) { _ = s.String() }, false},
	} {
		m, store, token := bags(t, coatcheck.NearCache{})
		store.before = failing(coatcheck.ErrUnavailable, "Load", "Update", "Delete") // also if it fails
		s := m.Open(token)
		c.call(s)
		if got := s.Status().Used; got != c.want {
			t.Errorf("after %s: used %t, want %t", name, got, c.want)
		}
	}
}

func TestStatusFromBeginningToEnd(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		type status = coatcheck.SessionStatus
		m, store, _ := bags(t, n.NearCache)
		ctx := t.Context()

		s := m.Open("")
		wantStatus(t, "at first", s, status{})
		with(t, s, "a")
		wantStatus(t, "changed", s, status{Used: true, Pending: true})
		store.before = failing(coatcheck.ErrUnavailable, "Create")
		wantErr(t, "Flush", s.Flush(ctx), coatcheck.ErrUnavailable)
		if got := s.Status(); !errors.Is(got.Failed, coatcheck.ErrUnavailable) || !got.Pending {
			t.Errorf("not created: %+v", got)
		}
		store.before = failing(nil)
		flush(t, s)
		deadline := time.Now().UTC().Add(coatcheck.DefaultAbsoluteTimeout)
		begun := status{Token: s.Token(), TokenChanged: true, Used: true, Deadline: deadline}
		wantStatus(t, "created", s, begun)
		s.Reload()
		wantStatus(t, "to be read anew", s, begun)
		wantSeen(t, "read anew", s, bag{"a": 1})
		wantStatus(t, "read anew", s, begun)

		// What extends the idle deadline does not move this one.
		token := s.Token()
		time.Sleep(5 * minute)
		s = m.Open(token)
		wantStatus(t, "opened", s, status{Token: token})
		wantSeen(t, "read", s, bag{"a": 1})
		wantStatus(t, "read", s, status{Token: token, Used: true, Deadline: deadline})
		with(t, s, "b")
		wantStatus(t, "changed", s, status{Token: token, Used: true, Pending: true, Deadline: deadline})
		flush(t, s)
		wantStatus(t, "saved", s, status{Token: token, Used: true, Deadline: deadline})

		s.Renew()
		flush(t, s)
		if s.Token() == token {
			t.Error("not renewed")
		}
		wantStatus(t, "renewed", s, status{Token: s.Token(), TokenChanged: true, TokenRenewed: true, Used: true, Deadline: deadline})

		wantErr(t, "Destroy", s.Destroy(ctx), nil)
		wantStatus(t, "destroyed", s, status{TokenChanged: true, Used: true})
	})
}

// TestStatusTellsOfNewTokens: what the client has to be told, and whether it holds
// another token of the same session.
func TestStatusTellsOfNewTokens(t *testing.T) {
	subject := func(t *testing.T, s *coatcheck.Session[bag], subject string) {
		wantErr(t, "SetSubject", s.SetSubject(subject), nil)
		flush(t, s)
	}
	renew := func(t *testing.T, s *coatcheck.Session[bag]) {
		s.Renew()
		flush(t, s)
	}
	destroy := func(t *testing.T, s *coatcheck.Session[bag]) {
		wantErr(t, "Destroy", s.Destroy(t.Context()), nil)
	}
	for name, c := range map[string]struct {
		opened           bool // the token of a session, not none
		does             func(*testing.T, *coatcheck.Session[bag])
		changed, renewed bool
	}{
		"saved":               {true, func(t *testing.T, s *coatcheck.Session[bag]) { with(t, s, "b"); flush(t, s) }, false, false},
		"renewed":             {true, renew, true, true},
		"renewed twice":       {true, func(t *testing.T, s *coatcheck.Session[bag]) { renew(t, s); renew(t, s) }, true, true},
		"logged in":           {true, func(t *testing.T, s *coatcheck.Session[bag]) { subject(t, s, "ada") }, true, true},
		"taken over":          {true, func(t *testing.T, s *coatcheck.Session[bag]) { subject(t, s, "ada"); subject(t, s, "bob") }, true, false},
		"taken over, renewed": {true, func(t *testing.T, s *coatcheck.Session[bag]) { subject(t, s, "ada"); subject(t, s, "bob"); renew(t, s) }, true, false},
		"ended":               {true, destroy, true, false},
		"renewed, ended":      {true, func(t *testing.T, s *coatcheck.Session[bag]) { renew(t, s); destroy(t, s) }, true, false},
		"begun":               {false, func(t *testing.T, s *coatcheck.Session[bag]) { subject(t, s, "ada") }, true, false},
		"begun, renewed":      {false, func(t *testing.T, s *coatcheck.Session[bag]) { subject(t, s, "ada"); renew(t, s) }, true, false},
		"none, ended":         {false, destroy, false, false},
	} {
		m, _, token := bags(t, coatcheck.NearCache{})
		if !c.opened {
			token = ""
		}
		s := m.Open(token)
		c.does(t, s)
		if got := s.Status(); got.TokenChanged != c.changed || got.TokenRenewed != c.renewed {
			t.Errorf("%s: changed %t, renewed %t; want %t, %t", name, got.TokenChanged, got.TokenRenewed, c.changed, c.renewed)
		}
	}
}

func TestStatusOfASessionThatLivesForEver(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m := newManager(t, coatcheck.Config[bag]{Store: hook(t), NearCache: n.NearCache, AbsoluteTimeout: coatcheck.Never})
		s := m.Open("")
		with(t, s, "a")
		flush(t, s)
		wantStatus(t, "created", s, coatcheck.SessionStatus{Token: s.Token(), TokenChanged: true, Used: true})
	})
}

func TestStatusOfASessionThatEndedMeanwhile(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		for name, notice := range map[string]func(*coatcheck.Session[bag]){
			"by Flush": func(s *coatcheck.Session[bag]) {
				with(t, s, "b")
				wantErr(t, "Flush", s.Flush(t.Context()), coatcheck.ErrNotFound)
			},
			"by Reload": func(s *coatcheck.Session[bag]) {
				s.Reload()
				wantSeen(t, "ended", s, nil)
			},
		} {
			m, store, token := bags(t, n.NearCache)
			s := m.Open(token)
			wantSeen(t, "read", s, bag{"a": 1})
			wantErr(t, "Delete", elsewhere(t, store, n).Delete(t.Context(), token), nil)
			notice(s)
			wantStatus(t, name, s, coatcheck.SessionStatus{Token: token, Used: true})
		}
	})
}
