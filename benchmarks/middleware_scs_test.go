package benchmarks

import (
	"encoding/gob"
	"net/http"
	"testing"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/redis/go-redis/v9"

	"github.com/coatcheck/coatcheck/internal/redistest"
)

func openSCSMemory(t testing.TB) (http.Handler, []*http.Cookie) {
	manager := scs.New()
	t.Cleanup(manager.Store.(*memstore.MemStore).StopCleanup)
	return openSCS(t, manager)
}

func openSCSRedis(t testing.TB) (http.Handler, []*http.Cookie) {
	options, err := redis.ParseURL(redistest.Start(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	manager := scs.New()
	manager.Store.(*memstore.MemStore).StopCleanup()
	manager.Store = goredisstore.New(client)
	return openSCS(t, manager)
}

func openSCS(t testing.TB, manager *scs.SessionManager) (http.Handler, []*http.Cookie) {
	gob.Register(profile{})
	cookies := signIn(t, manager.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		manager.Put(r.Context(), "profile", alice)
	})))
	return manager.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found, _ := manager.Get(r.Context(), "profile").(profile)
		answer(w, found)
	})), cookies
}
