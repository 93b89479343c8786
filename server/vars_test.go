package server_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/coatcheck/coatcheck"
)

var varsCall = request{method: "GET", path: "/debug/vars"}

// stats returns the counters by name, as a program that collects them has them.
func (s *service) stats(t *testing.T) (top, near map[string]float64) {
	t.Helper()
	vars := decode[map[string]map[string]json.RawMessage](t, s.do(t, varsCall).want(t, "vars", 200))
	if len(vars) != 1 || vars["coatcheck"] == nil {
		t.Fatalf("members other than coatcheck: %v", vars)
	}
	top = make(map[string]float64)
	for name, text := range vars["coatcheck"] {
		var into any = &near
		if name != "near_cache" {
			into = new(float64)
		}
		if err := json.Unmarshal(text, into); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n, ok := into.(*float64); ok {
			top[name] = *n
		}
	}
	return top, near
}

// Dashboards are built on these names.
func TestVarsHaveTheirNames(t *testing.T) {
	top, near := start(t, setup{}).stats(t)
	for of, c := range map[string]struct {
		got  map[string]float64
		want string
	}{
		"coatcheck":  {top, "wrong_secrets tokens_reused conflicts decode_failures failed_touches dropped_events"},
		"near_cache": {near, "hits misses stale served_stale invalidations evictions overtaken losses entries mark_age_ns"},
	} {
		for name := range strings.FieldsSeq(c.want) {
			if _, ok := c.got[name]; !ok {
				t.Errorf("%s has no %s: %v", of, name, c.got)
			}
			delete(c.got, name)
		}
		if len(c.got) > 0 {
			t.Errorf("%s has %v, too", of, c.got)
		}
	}
}

func TestVarsCount(t *testing.T) {
	s := start(t, setup{})
	token := s.create(t, `1`)
	_, before := s.stats(t)
	s.get(t, token).want(t, "get", 200)
	if _, near := s.stats(t); near["hits"] != before["hits"]+1 || near["entries"] != 1 {
		t.Errorf("after a session was read: %v, before: %v", near, before)
	}
	s.get(t, unknownToken).want(t, "get", 404)
	if _, near := s.stats(t); near["misses"] != before["misses"]+1 {
		t.Errorf("after an unknown token: %v, before: %v", near, before)
	}
	s.get(t, token[:22]+unknownToken[22:]).want(t, "get", 404)
	if top, _ := s.stats(t); top["wrong_secrets"] != 1 {
		t.Errorf("after a wrong secret: %v", top)
	}
	s.do(t, request{method: "DELETE", path: "/v1/session", token: token}).want(t, "delete", 204)
	if _, near := s.stats(t); near["entries"] != 0 {
		t.Errorf("after the end of the only session: %v", near)
	}
}

func TestVarsAreZeroWithoutANearCache(t *testing.T) {
	s := start(t, setup{manager: storeOnly})
	s.get(t, s.create(t, `1`)).want(t, "get", 200)
	vars := decode[struct{ Coatcheck coatcheck.Stats }](t, s.do(t, varsCall))
	if vars.Coatcheck.NearCache != (coatcheck.NearCacheStats{}) {
		t.Errorf("%+v", vars.Coatcheck.NearCache)
	}
}

// How many sessions there are and how busy they are is nobody else's concern.
func TestVarsNeedTheKey(t *testing.T) {
	s := start(t, setup{keys: []string{firstKey, secondKey}})
	for _, key := range []string{"", "3333333333333333333333333333333c", firstKey[:31]} {
		r := varsCall
		r.header = map[string]string{"X-API-Key": key}
		a := s.do(t, r).want(t, "vars", 401)
		if !strings.Contains(a.body, "urn:coatcheck:problem:api-key") || strings.Contains(a.body, "near_cache") {
			t.Errorf("the answer is %s", a.body)
		}
	}
	for _, s.key = range []string{firstKey, secondKey} {
		s.do(t, varsCall).want(t, "vars", 200)
	}
}
