package coatcheck_test

import (
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
		"FixToken": {func(s *coatcheck.Session[bag]) { s.FixToken() }, false},
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
		in := func(d time.Duration) time.Time { return time.Now().UTC().Add(d) }
		const idle = coatcheck.DefaultIdleTimeout

		s := m.Open("")
		wantStatus(t, "at first", s, status{})
		with(t, s, "a")
		wantStatus(t, "changed", s, status{Used: true, Pending: true})
		store.before = failing(coatcheck.ErrUnavailable, "Create")
		wantErr(t, "Flush", s.Flush(ctx), coatcheck.ErrUnavailable)
		wantStatus(t, "not created", s, status{Used: true, Pending: true})
		store.before = failing(nil)
		flush(t, s)
		begun := status{Token: s.Token(), Used: true, Extended: true, ExpiresAt: in(idle)}
		wantStatus(t, "created", s, begun)
		s.Reload()
		wantStatus(t, "to be read anew", s, begun)
		wantSeen(t, "read anew", s, bag{"a": 1})
		wantStatus(t, "read anew", s, begun)

		// The next request reads, and that is all.
		token := s.Token()
		time.Sleep(minute)
		s = m.Open(token)
		wantStatus(t, "opened", s, status{Token: token})
		wantSeen(t, "read", s, bag{"a": 1})
		plain := status{Token: token, Used: true, ExpiresAt: begun.ExpiresAt}
		wantStatus(t, "read", s, plain)
		s.Reload()
		wantSeen(t, "read again", s, bag{"a": 1})
		wantStatus(t, "read again", s, plain)
		flush(t, s)
		wantStatus(t, "flushed clean", s, plain)

		// This one finds that it is time to extend.
		time.Sleep(5 * minute)
		s = m.Open(token)
		wantSeen(t, "touched", s, bag{"a": 1})
		touched := status{Token: token, Used: true, Extended: true, ExpiresAt: in(idle)}
		wantStatus(t, "touched", s, touched)
		time.Sleep(moment)
		s.Reload()
		wantStatus(t, "touched, to be read anew", s, touched)
		wantSeen(t, "touched, read anew", s, bag{"a": 1})
		wantStatus(t, "touched, read anew", s, touched)

		// A change extends as well, but only when it is saved.
		time.Sleep(minute)
		s = m.Open(token)
		with(t, s, "b")
		wantStatus(t, "changed", s, status{Token: token, Used: true, Pending: true, ExpiresAt: touched.ExpiresAt})
		store.before = failing(coatcheck.ErrUnavailable, "Update")
		wantErr(t, "Flush", s.Flush(ctx), coatcheck.ErrUnavailable)
		wantStatus(t, "not saved", s, status{Token: token, Used: true, Pending: true, ExpiresAt: touched.ExpiresAt})
		store.before = failing(nil)
		flush(t, s)
		wantStatus(t, "saved", s, status{Token: token, Used: true, Extended: true, ExpiresAt: in(idle)})

		time.Sleep(minute)
		s.Renew()
		flush(t, s)
		if s.Token() == token {
			t.Error("not renewed")
		}
		wantStatus(t, "renewed", s, status{Token: s.Token(), Used: true, Extended: true, ExpiresAt: in(idle)})

		wantErr(t, "Destroy", s.Destroy(ctx), nil)
		wantStatus(t, "destroyed", s, status{Used: true})
	})
}

func TestStatusAtTheAbsoluteDeadline(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		m := newManager(t, coatcheck.Config[bag]{Store: hook(t), NearCache: n.NearCache, AbsoluteTimeout: coatcheck.DefaultIdleTimeout})
		token := generate(t, m, bag{"a": 1})
		_, info, err := m.Lookup(t.Context(), token)
		wantErr(t, "Lookup", err, nil)
		time.Sleep(10 * minute)
		s := m.Open(token)
		with(t, s, "b")
		flush(t, s)
		wantStatus(t, "with nothing to extend", s, coatcheck.SessionStatus{Token: token, Used: true, ExpiresAt: info.ExpiresAt})
	})
}

func TestStatusOfASessionThatLivesForEver(t *testing.T) {
	caches(t, func(t *testing.T, n near) {
		m := newManager(t, coatcheck.Config[bag]{Store: hook(t), NearCache: n.NearCache, IdleTimeout: coatcheck.Never, AbsoluteTimeout: coatcheck.Never})
		s := m.Open("")
		with(t, s, "a")
		flush(t, s)
		wantStatus(t, "created", s, coatcheck.SessionStatus{Token: s.Token(), Used: true, Extended: true})
		s = m.Open(s.Token())
		wantSeen(t, "read", s, bag{"a": 1})
		wantStatus(t, "read", s, coatcheck.SessionStatus{Token: s.Token(), Used: true})
	})
}

// A deadline was moved, and then the session ended: nobody is to be told that it
// was extended, for ever even.
func TestStatusOfASessionThatEndedMeanwhile(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
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
			time.Sleep(10 * minute)
			s := m.Open(token)
			wantSeen(t, "touched", s, bag{"a": 1})
			if !s.Status().Extended {
				t.Error("not extended")
			}
			wantErr(t, "Delete", elsewhere(t, store, n).Delete(t.Context(), token), nil)
			notice(s)
			wantStatus(t, name, s, coatcheck.SessionStatus{Token: token, Used: true})
		}
	})
}
