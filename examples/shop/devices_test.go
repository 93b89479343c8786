package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// signedIn returns another visitor of the same shop, who has signed in.
func (v *visitor) signedIn(t *testing.T, name, password string) *visitor {
	t.Helper()
	other := newVisitor(v.url)
	other.post(t, "/signin", "name", name, "password", password).has(t, "/account", "Hello, "+name)
	return other
}

func (v *visitor) id() string { return v.cookie[:22] }

func TestSessionsAreListedAndEnded(t *testing.T) {
	v := open(t, "memory:")
	one, two := v.signedIn(t, "ada", "analytical"), v.signedIn(t, "ada", "analytical")
	eve := v.signedIn(t, "grace", "nanosecond")
	list := one.get(t, "/account")
	list.has(t, "/account", one.id(), two.id(), "127.0.0.1", "Go-http-client", "this one")
	list.hasNot(t, eve.id())
	if n := strings.Count(list.body, "this one"); n != 1 {
		t.Errorf("%d sessions are this one", n)
	}

	// Nobody ends what is another's, though IDs can be seen.
	eve.post(t, "/account/sessions/"+two.id()+"/end").has(t, "/account", "not signed in there")
	eve.post(t, "/account/sessions/end-others").has(t, "/account", "sessions ended: 0.")
	newVisitor(v.url).post(t, "/account/sessions/"+two.id()+"/end").has(t, "/signin")
	newVisitor(v.url).post(t, "/account/sessions/end-others").has(t, "/signin")
	eve.post(t, "/account/sessions/x/end").has(t, "/account", "not signed in there")
	two.get(t, "/account").has(t, "/account")

	one.post(t, "/account/sessions/"+two.id()+"/end").has(t, "/account", "You are signed out there")
	two.get(t, "/account").has(t, "/signin")
	one.post(t, "/account/sessions/"+two.id()+"/end").has(t, "/account", "not signed in there")
	one.get(t, "/account").hasNot(t, two.id())

	three, four := v.signedIn(t, "ada", "analytical"), v.signedIn(t, "ada", "analytical")
	one.post(t, "/account/sessions/end-others").has(t, "/account", "sessions ended: 2.", one.id())
	for _, ended := range []*visitor{three, four} {
		ended.get(t, "/account").has(t, "/signin")
	}
	one.post(t, "/account/sessions/"+one.id()+"/end").has(t, "/", "Sign in")
	eve.get(t, "/account").has(t, "/account", "Hello, grace")
}

// What a program says of itself is shown as text.
func TestUserAgentIsNoHTML(t *testing.T) {
	v := open(t, "memory:").signedIn(t, "ada", "analytical")
	r := v.form(t, "/cart/hat", "do", "add")
	r.Header.Set("User-Agent", `<script src="//evil.example">`)
	if got := v.do(t, r); got.status != http.StatusOK {
		t.Fatalf("status %d", got.status)
	}
	list := v.get(t, "/account")
	list.has(t, "/account", "&lt;script src=")
	list.hasNot(t, "<script src=")
}

func inList(id, text string) string {
	return fmt.Sprintf(`//section[@id="sessions"]//tr[@id=%q][contains(., %q)]`, id, text)
}

func TestBrowserEndsSessionsElsewhere(t *testing.T) {
	shop := start(t, "memory:")
	here, there := newTab(t), newTab(t) // each with cookies of its own
	for _, b := range []*tab{here, there} {
		b.signIn(shop, "ada", "analytical")
		b.sees(`//*[@id="account"]`)
	}
	idHere, idThere := here.cookie().Value[:22], there.cookie().Value[:22]
	here.open(shop.url + "/account")
	here.sees(inList(idHere, "this one"))
	here.sees(inList(idThere, "Chrome"))
	here.sees(inList(idThere, "127.0.0.1"))
	there.open(shop.url + "/account")
	there.sees(inList(idThere, "this one"))
	here.screenshot("sessions")

	here.click(inList(idThere, "127.0.0.1") + `//button`)
	here.sees(`//p[@class="flash"][contains(., "signed out there")]`)
	there.click(`//a[@id="user"]`)
	there.sees(signIn)
	if strings.Contains(here.evaluate("document.body.innerHTML"), idThere) {
		t.Errorf("it is still listed:\n%s", here.text())
	}

	// And all at once.
	third := newTab(t)
	for _, b := range []*tab{there, third} {
		b.signIn(shop, "ada", "analytical")
		b.sees(`//*[@id="account"]`)
	}
	here.open(shop.url + "/account")
	here.click(`//form[@action="/account/sessions/end-others"]//button`)
	here.sees(`//p[@class="flash"][contains(., "everywhere else")]`)
	here.sees(inList(idHere, "this one"))
	for _, b := range []*tab{there, third} {
		b.click(`//a[@id="user"]`)
		b.sees(signIn)
	}
	here.open(shop.url + "/account")
	here.sees(`//*[@id="account"]//h1[.="Hello, ada"]`)
}
