package benchmarks

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck/internal/redistest"
)

const handmadeCookie = "session"

// openHandmadeRedis is what one would write without a library of sessions: the
// client library's own cache of replies, and JSON.
func openHandmadeRedis(t testing.TB) (http.Handler, []*http.Cookie) {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{redistest.Start(t).Addr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	cookies := signIn(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := randomID()
		value, err := json.Marshal(alice)
		if err == nil {
			set := client.B().Set().Key("session:" + id).Value(string(value)).Ex(time.Hour).Build()
			err = client.Do(r.Context(), set).Error()
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: handmadeCookie, Value: id, Path: "/", Secure: true, HttpOnly: true})
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie(handmadeCookie)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		var found profile
		get := client.B().Get().Key("session:" + cookie.Value).Cache()
		if err := client.DoCache(r.Context(), get, time.Hour).DecodeJSON(&found); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer(w, found)
	}), cookies
}
