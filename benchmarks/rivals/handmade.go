package rivals

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/redis/rueidis"
)

const (
	rueidisModule = "github.com/redis/rueidis"

	handmadeCookie  = "session"
	handmadePrefix  = "session:"
	handmadeTimeout = time.Hour

	// Also if the report of a change is lost, it is heard of after this: as in
	// coatcheck by default.
	handmadeStaleness = time.Second
)

var handmadeRedis = Subject{
	Name:       "handmade-redis",
	Module:     rueidisModule,
	Redis:      true,
	Lags:       true,
	Configured: "rueidis, `DoCache` for a second",
	Reads:      "the client library's cache of replies; JSON",
	Gives:      lastWriterWins + "; no deadline is extended; a change elsewhere is seen after a round trip as a rule, after a second at most",
	Open: func(env Env) (App, error) {
		return openHandmade(env, rueidis.ClientOption{})
	},
}

var handmadeRedisUncached = Subject{
	Name:       "handmade-redis-uncached",
	Module:     rueidisModule,
	Redis:      true,
	Configured: "rueidis with `DisableCache`, `Do`",
	Reads:      "Redis; JSON",
	Gives:      lastWriterWins + "; no deadline is extended",
	Open: func(env Env) (App, error) {
		return openHandmade(env, rueidis.ClientOption{DisableCache: true})
	},
}

func openHandmade(env Env, option rueidis.ClientOption) (App, error) {
	option.InitAddress = []string{env.Redis}
	client, err := rueidis.NewClient(option)
	if err != nil {
		return nil, err
	}
	site := &handmadeSite{client: client, cached: !option.DisableCache, value: env.Value}
	return &webApp{&pages{site, env}, func() error { client.Close(); return nil }}, nil
}

// handmadeSite is what one would write without a library of sessions.
type handmadeSite struct {
	client rueidis.Client
	cached bool
	value  Profile
}

func (s *handmadeSite) create(w http.ResponseWriter, r *http.Request) error {
	id := rand.Text()
	if err := s.set(r.Context(), handmadePrefix+id, s.value); err != nil {
		return err
	}
	http.SetCookie(w, newHandmadeCookie(id))
	return nil
}

func (s *handmadeSite) read(_ http.ResponseWriter, r *http.Request) (Profile, error) {
	key, err := handmadeKey(r)
	if err != nil {
		return Profile{}, err
	}
	get := s.client.B().Get().Key(key)
	if s.cached {
		return decodeJSON(s.client.DoCache(r.Context(), get.Cache(), handmadeStaleness))
	}
	return decodeJSON(s.client.Do(r.Context(), get.Build()))
}

func (s *handmadeSite) change(_ http.ResponseWriter, r *http.Request) error {
	key, err := handmadeKey(r)
	if err != nil {
		return err
	}
	// A write that begins with what a cache says would lose what others have written.
	value, err := decodeJSON(s.client.Do(r.Context(), s.client.B().Get().Key(key).Build()))
	if err != nil {
		return err
	}
	value.Views++
	return s.set(r.Context(), key, value)
}

func (s *handmadeSite) logout(w http.ResponseWriter, r *http.Request) error {
	key, err := handmadeKey(r)
	if err != nil {
		return err
	}
	if err := s.client.Do(r.Context(), s.client.B().Del().Key(key).Build()).Error(); err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	gone := newHandmadeCookie("")
	gone.MaxAge = -1
	http.SetCookie(w, gone)
	return nil
}

func (s *handmadeSite) set(ctx context.Context, key string, value Profile) error {
	return setJSON(ctx, s.client, key, value, handmadeTimeout)
}

func newHandmadeCookie(value string) *http.Cookie {
	return &http.Cookie{Name: handmadeCookie, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

func handmadeKey(r *http.Request) (string, error) {
	cookie, err := r.Cookie(handmadeCookie)
	if errors.Is(err, http.ErrNoCookie) {
		return "", ErrMissing
	}
	if err != nil {
		return "", err
	}
	return handmadePrefix + cookie.Value, nil
}

func setJSON(ctx context.Context, client rueidis.Client, key string, value Profile, timeout time.Duration) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode session: %w", err)
	}
	set := client.B().Set().Key(key).Value(rueidis.BinaryString(text)).Ex(timeout).Build()
	if err := client.Do(ctx, set).Error(); err != nil {
		return fmt.Errorf("write session: %w", err)
	}
	return nil
}

func decodeJSON(reply rueidis.RedisResult) (Profile, error) {
	var value Profile
	err := reply.DecodeJSON(&value)
	if rueidis.IsRedisNil(err) {
		return Profile{}, ErrMissing
	}
	if err != nil {
		return Profile{}, fmt.Errorf("read session: %w", err)
	}
	return value, nil
}
