package benchmarks

import (
	"encoding/gob"
	"net/http"
	"testing"

	"github.com/boj/redistore"
	"github.com/gorilla/securecookie"
	gorillasessions "github.com/gorilla/sessions"

	"github.com/coatcheck/coatcheck/internal/redistest"
)

func openGorillaCookie(t testing.TB) (http.Handler, []*http.Cookie) {
	return openGorilla(t, gorillasessions.NewCookieStore(securecookie.GenerateRandomKey(32)))
}

func openGorillaRedis(t testing.TB) (http.Handler, []*http.Cookie) {
	server := redistest.Start(t)
	// As many idle connections as goroutines: with fewer it would dial anew.
	store, err := redistore.NewRediStore(maxGoroutines, "tcp", server.Addr, "", "", securecookie.GenerateRandomKey(32))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return openGorilla(t, store)
}

func openGorilla(t testing.TB, store gorillasessions.Store) (http.Handler, []*http.Cookie) {
	gob.Register(profile{})
	cookies := signIn(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := store.Get(r, "session")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		s.Values["profile"] = alice
		if err := s.Save(r, w); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := store.Get(r, "session")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		found, _ := s.Values["profile"].(profile)
		answer(w, found)
	}), cookies
}
