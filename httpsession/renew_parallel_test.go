package httpsession_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
)

// sibling is another process on the store of the site, as far as it can tell.
func (s *site) sibling(t testing.TB, config coatcheck.Config[profile]) *site {
	t.Helper()
	other := &site{store: s.store}
	config.Store = s.store
	var err error
	if other.manager, err = coatcheck.New(config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.manager.Close() })
	if other.sessions, err = httpsession.New(other.manager, httpsession.Config{}); err != nil {
		t.Fatal(err)
	}
	return other
}

// A page has many parts, and a browser asks for them at once. With a token that is
// due, one of the responses brings a new one; no request fails, nobody is logged
// out, and no change is lost.
func TestParallelRequestsRenewOnce(t *testing.T) {
	const requests = 20
	config := renewing
	config.RenewGrace = time.Minute // the machine may be busy
	for name, test := range map[string]struct {
		sites, changes int
		together       bool // all have read before one answers
	}{
		"reads":                            {1, 0, true},
		"reads, as they come":              {1, 0, false},
		"changes":                          {1, requests, true},
		"changes, as they come":            {1, requests, false},
		"some of each":                     {1, requests / 2, true},
		"two managers, reads":              {2, 0, true},
		"two managers, changes":            {2, requests, true},
		"two managers, some of each":       {2, requests / 2, true},
		"two managers, changes as they go": {2, requests, false},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, protocol string) {
				var events chronicle
				config.OnEvent = events.add
				s := newSite(t, setup{manager: config})
				sites := []*site{s, s.sibling(t, config)}[:test.sites]
				old := s.generateOld(t, profile{Name: "ada"}, 2*renewEvery, coatcheck.ForSubject("ada"))
				var read sync.WaitGroup
				read.Add(requests)
				var webs []*web
				for _, site := range sites {
					webs = append(webs, site.serve(t, protocol, func(w http.ResponseWriter, r *http.Request) {
						n, err := strconv.Atoi(r.URL.Query().Get("n"))
						wantErr(t, "Atoi", err, nil)
						name := site.name(t, r)
						if n < test.changes {
							wantErr(t, "Change", site.session(r).Change(r.Context(), func(p *profile) error { p.Visits++; return nil }), nil)
						}
						read.Done()
						if test.together {
							read.Wait()
						}
						fmt.Fprint(w, name)
					}))
				}
				replies := make([]reply, requests)
				var all sync.WaitGroup
				for i := range requests {
					all.Go(func() {
						web := webs[i%len(webs)]
						response, err := web.client.Do(s.request(t, "GET", web.URL+"/?n="+strconv.Itoa(i), old))
						if err != nil {
							t.Error(err)
							return
						}
						replies[i] = replyOf(t, response)
					})
				}
				all.Wait()

				var told []coatcheck.Token
				for _, reply := range replies {
					reply.wantStatus(t, 200, "ada")
					if len(reply.set) > 0 {
						told = append(told, reply.wantRenewed(t, old))
					}
				}
				if len(told) != 1 {
					t.Fatalf("%d responses bring a token, want one", len(told))
				}
				for _, site := range sites {
					for _, token := range []coatcheck.Token{told[0], old} { // which may be stale elsewhere for a while
						waitFor(t, func() bool {
							p, err := site.manager.Get(t.Context(), token)
							return err == nil && p == profile{"ada", test.changes}
						})
					}
				}
				r := s.record(t, old)
				if len(r.Retired) != 1 || r.Subject != "ada" || r.Rev != uint64(2+max(0, test.changes-1)) && r.Rev != uint64(2+test.changes) {
					t.Errorf("the store has %d former secrets, the subject %q, revision %d", len(r.Retired), r.Subject, r.Rev)
				}
				waitFor(t, func() bool { return len(events.of(coatcheck.SessionRenewed)) > 0 })
				for kind, want := range map[coatcheck.EventKind]int{coatcheck.SessionRenewed: 1, coatcheck.SessionRevoked: 0, coatcheck.TokenReused: 0, coatcheck.SessionDeleted: 0} {
					if got := len(events.of(kind)); got != want {
						t.Errorf("%d events that a %v, want %d", got, kind, want)
					}
				}
				if log := s.log.String(); log != "" {
					t.Errorf("logged: %s", log)
				}
			})
		})
	}
}

// A request that was under way when another renewed the session, and has read it
// before, changes it like any.
func TestChangeAcrossARenewal(t *testing.T) {
	for name, change := range map[string]bool{"change": true, "read": false} {
		t.Run(name, func(t *testing.T) {
			inTime(t, renewEvery, setup{manager: renewing}, func(t *testing.T, s *site, old coatcheck.Token) {
				var fresh coatcheck.Token
				w := httptest.NewRecorder()
				s.handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if change {
						s.rename(t, r, "bob")
					}
					before := s.name(t, r)
					fresh = s.call(t, func(_ http.ResponseWriter, r *http.Request) {
						wantErr(t, "Change", s.session(r).Change(r.Context(), func(p *profile) error {
							p.Name, p.Visits = "carol", 1
							return nil
						}), nil)
					}, old).wantRenewed(t, old)
					w.WriteHeader(http.StatusOK)
					if got := s.name(t, r); got != before || s.session(r).Pending() {
						t.Errorf("the request has seen %q, and now %q", before, got)
					}
				})).ServeHTTP(w, s.request(t, "GET", "http://localhost/", old))
				reply := replyOf(t, w.Result())
				reply.wantStatus(t, 200, "")
				reply.wantNoCookie(t)
				p, err := s.manager.Get(t.Context(), fresh)
				if want := (profile{map[bool]string{true: "bob", false: "carol"}[change], 1}); p != want || err != nil {
					t.Errorf("the session is %+v, %v; want %+v", p, err, want)
				}
			})
		})
	}
}
