package benchmarks

import (
	"net/http"
	"testing"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/memstore"
	"github.com/coatcheck/coatcheck/redisstore"
)

func openCoatcheckMemory(t testing.TB) (http.Handler, []*http.Cookie) {
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return openCoatcheck(t, store)
}

func openCoatcheckRedis(t testing.TB) (http.Handler, []*http.Cookie) {
	store, err := openRedisStore(redistest.Start(t), redisstore.Tracking)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return openCoatcheck(t, store)
}

func openCoatcheck(t testing.TB, store coatcheck.Store) (http.Handler, []*http.Cookie) {
	manager, err := coatcheck.New(coatcheck.Config[profile]{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close() })
	sessions, err := httpsession.New(manager, httpsession.Config{})
	if err != nil {
		t.Fatal(err)
	}
	cookies := signIn(t, sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := sessions.From(r.Context()).Change(r.Context(), func(p *profile) error { *p = alice; return nil })
		if err != nil {
			sessions.Error(w, r, err)
		}
	})))
	return sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found, err := sessions.From(r.Context()).Get(r.Context())
		if err != nil {
			sessions.Error(w, r, err)
			return
		}
		answer(w, found)
	})), cookies
}
