package benchmarks

import (
	"crypto/rand"
	"net/http"
	"testing"

	gosession "github.com/go-session/session/v3"
)

func openGoSessionMemory(t testing.TB) (http.Handler, []*http.Cookie) {
	manager := gosession.NewManager(gosession.SetSign([]byte(rand.Text())))
	cookies := signIn(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		store, err := manager.Start(r.Context(), w, r)
		if err == nil {
			store.Set("profile", alice)
			err = store.Save()
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		store, err := manager.Start(r.Context(), w, r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		value, _ := store.Get("profile")
		found, _ := value.(profile)
		answer(w, found)
	}), cookies
}
