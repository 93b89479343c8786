package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
)

// open opens a shop in this process until the end of the test.
func open(t *testing.T, storeName string) *visitor {
	t.Helper()
	store, _, err := openStore(t.Context(), storeName)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	manager, err := coatcheck.New(managerConfig(store))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close() })
	handler, err := newShop(manager, shopConfig{ServedBy: "the test"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return newVisitor(server.URL)
}

func TestCart(t *testing.T) {
	v := open(t, "memory:")
	v.get(t, "/").has(t, "/", `<b id="count">0</b>`, "Umbrella")
	if v.cookie != "" {
		t.Error("a visitor who has nothing got a cookie")
	}
	v.post(t, "/cart/coat", "do", "add").has(t, "/", `<b id="count">1</b>`, "1 in cart")
	v.post(t, "/cart/coat", "do", "add")
	v.post(t, "/cart/hat", "do", "add", "from", "cart").has(t, "/cart", `<b id="count">3</b>`, "€437.00")
	v.post(t, "/cart/coat", "do", "less", "from", "cart").has(t, "/cart", `<b id="count">2</b>`, "€248.00")
	v.post(t, "/cart/coat", "do", "remove", "from", "cart").has(t, "/cart", `<b id="count">1</b>`, "€59.00")
	v.post(t, "/cart/coat", "do", "less", "from", "cart").has(t, "/cart", `<b id="count">1</b>`, "€59.00")
	v.post(t, "/cart/hat", "do", "less", "from", "cart").has(t, "/cart", `<b id="count">0</b>`, "nothing in it")
	for _, path := range []string{"/cart/yacht", "/cart/"} {
		if got := v.post(t, path, "do", "add").status; got != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, got)
		}
	}
	if got := v.post(t, "/cart/hat", "do", "burn").status; got != http.StatusNotFound {
		t.Errorf("status %d, want 404", got)
	}
	newVisitor(v.url).get(t, "/cart").has(t, "/cart", "nothing in it")
}

func TestSignInAndOut(t *testing.T) {
	v := open(t, "memory:")
	v.post(t, "/cart/watch", "do", "add")
	before := *v
	v.post(t, "/signin", "name", "ada", "password", "analytical").has(t, "/account", "Hello, ada", "€74.25")
	if v.cookie == before.cookie || v.cookie[:22] != before.cookie[:22] {
		t.Error("the sign-in did not renew the token of the session")
	}
	if before.get(t, "/account").has(t, "/signin"); before.get(t, "/cart").path != "/cart" {
		t.Error("no cart for the old token")
	}
	before.get(t, "/cart").hasNot(t, "Pocket watch")

	after := *v
	v.post(t, "/signout").has(t, "/", `<b id="count">0</b>`, "Sign in")
	if v.cookie != "" {
		t.Error("the cookie was not removed")
	}
	after.get(t, "/account").has(t, "/signin")
}

func TestWrongPassword(t *testing.T) {
	v := open(t, "memory:")
	for name, password := range map[string]string{"ada": "nanosecond", "grace": "", "eve": "analytical", "": ""} {
		got := v.post(t, "/signin", "name", name, "password", password)
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "do not match") {
			t.Errorf("%s: status %d: %s", name, got.status, got.body)
		}
		v.get(t, "/account").has(t, "/signin")
	}
}

func TestPrivatePages(t *testing.T) {
	v := open(t, "memory:")
	v.post(t, "/cart/boots", "do", "add")
	v.get(t, "/account").has(t, "/signin", "Password")
	v.post(t, "/checkout").has(t, "/signin", `<b id="count">1</b>`)
}

func TestCheckout(t *testing.T) {
	v := open(t, "memory:")
	v.post(t, "/cart/boots", "do", "add")
	v.post(t, "/signin", "name", "grace", "password", "nanosecond")
	v.post(t, "/checkout").has(t, "/", "Thank you! €149.00", `<b id="count">0</b>`)
	again := v.get(t, "/")
	again.has(t, "/", "grace")
	again.hasNot(t, "Thank you")
	v.post(t, "/checkout").has(t, "/", "nothing in your cart")
}

func TestOtherSitesChangeNothing(t *testing.T) {
	v := open(t, "memory:")
	v.post(t, "/cart/boots", "do", "add")
	for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"} {
		r := v.form(t, "/cart/boots", "do", "add")
		r.Header.Set(name, value)
		if got := v.do(t, r); got.status != http.StatusForbidden {
			t.Errorf("%s: status %d, want 403", name, got.status)
		}
	}
	v.get(t, "/").has(t, "/", `<b id="count">1</b>`)
}

func TestStoreUnavailable(t *testing.T) {
	redis := redistest.Start(t)
	v := open(t, redis.URL())
	v.post(t, "/cart/boots", "do", "add")
	redis.Kill()
	// What is in memory is served until it may be too old.
	deadline := time.Now().Add(20 * time.Second)
	got := v.get(t, "/cart")
	for got.status == http.StatusOK && time.Now().Before(deadline) {
		got = v.get(t, "/cart")
	}
	if got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "Sorry") || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	if got := v.post(t, "/cart/boots", "do", "add").status; got != http.StatusServiceUnavailable {
		t.Errorf("status %d of a change, want 503", got)
	}
	if got := v.get(t, "/live/events").status; got != http.StatusServiceUnavailable {
		t.Errorf("status %d of the event stream, want 503", got)
	}
	v.get(t, "/static/style.css").has(t, "/static/style.css")
}

func TestUnknownStore(t *testing.T) {
	for _, name := range []string{"", "postgres://localhost", "sqlite:"} {
		if s, _, err := openStore(t.Context(), name); err == nil {
			_ = s.Close()
			t.Errorf("%q was accepted", name)
		}
	}
}
