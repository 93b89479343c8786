package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// What the tests click on and look for.
func add(good string) string { return fmt.Sprintf(`//li[@id=%q]//button`, good) }
func count(n int) string     { return fmt.Sprintf(`//b[@id="count"][.="%d"]`, n) }
func inCart(good string, n int) string {
	return fmt.Sprintf(`//tr[@id=%q]//span[@class="n"][.="%d"]`, good, n)
}
func live(good string, n int) string {
	return fmt.Sprintf(`//*[@id="live"]/li[@data-good=%q]/b[.="× %d"]`, good, n)
}

const (
	signOut = `//form[@action="/signout"]//button`
	buy     = `//form[@action="/checkout"]//button`
	signIn  = `//form[@action="/signin"]//button`
)

func (b *tab) signIn(shop *process, name, password string) {
	b.t.Helper()
	b.open(shop.url + "/signin")
	b.do("fill in", chromedp.SendKeys(`//input[@name="name"]`, name), chromedp.SendKeys(`//input[@name="password"]`, password))
	b.click(signIn)
}

func TestBrowserHoldsCookieAsItShould(t *testing.T) {
	shop := start(t, "memory:")
	b := newTab(t)
	b.open(shop.url)
	if n := len(b.cookies()); n != 0 {
		t.Errorf("%d cookies before there is a session", n)
	}
	b.click(add("coat"))
	b.sees(count(1))
	b.screenshot("catalogue")

	got := b.cookie()
	if len(got.Value) != 44 {
		t.Errorf("the token has %d characters", len(got.Value))
	}
	// Its Domain is the very host: a domain cookie has a dot in front.
	for what, right := range map[string]bool{
		"name":      got.Name == "__Host-session",
		"domain":    got.Domain == "127.0.0.1",
		"path":      got.Path == "/",
		"secure":    got.Secure,
		"http only": got.HTTPOnly,
		"same site": got.SameSite == network.CookieSameSiteLax,
		"session":   got.Session,
	} {
		if !right {
			got.Value = "" // which is nobody's business
			t.Errorf("%s of the cookie is wrong: %+v", what, got)
		}
	}
	if b.evaluate("document.cookie") != "" {
		t.Error("scripts can read the cookie")
	}
}

func TestBrowserGetsNewTokenAtSignIn(t *testing.T) {
	shop := start(t, "memory:")
	b := newTab(t)
	b.open(shop.url)
	b.click(add("umbrella"))
	before := b.cookie().Value
	b.open(shop.url + "/signin")
	b.screenshot("sign-in")
	b.signIn(shop, "ada", "analytic")
	b.sees(`//p[@class="fault"]`)
	if b.cookie().Value != before {
		t.Error("a failed sign-in renewed the token")
	}
	b.signIn(shop, "ada", "analytical")
	b.sees(`//*[@id="account"]//h1[.="Hello, ada"]`)
	b.screenshot("account")
	after := b.cookie().Value
	if after == before || after[:22] != before[:22] {
		t.Error("sign-in did not give the same session another token")
	}
	b.open(shop.url + "/cart")
	b.sees(inCart("umbrella", 1))

	thief := newVisitor(shop.url)
	thief.cookie = before
	thief.get(t, "/account").has(t, "/signin")
	thief.get(t, "/cart").has(t, "/cart", "nothing in it")
}

func TestBrowserKeepsCartOverRestart(t *testing.T) {
	store := "sqlite:" + filepath.Join(t.TempDir(), "shop.db")
	shop := start(t, store)
	b := newTab(t)
	b.open(shop.url)
	b.click(add("hat"))
	b.click(add("hat"))
	b.signIn(shop, "grace", "nanosecond")
	b.open(shop.url + "/cart")
	b.sees(inCart("hat", 2))

	shop.kill()
	again := start(t, store, shop.addr())
	b.do("reload", chromedp.Reload())
	b.sees(inCart("hat", 2))
	b.sees(`//a[@id="user"][.="grace"]`)
	if !strings.Contains(b.text(), fmt.Sprintf("process %d ", again.cmd.Process.Pid)) {
		t.Error("the page does not come from the new process")
	}
	b.screenshot("cart")

	b.click(buy)
	b.sees(`//p[@class="flash"][contains(., "Thank you")]`)
	b.sees(count(0))
	b.screenshot("checkout")
}

func TestBrowserShowsNothingAfterSignOut(t *testing.T) {
	shop := start(t, "memory:")
	b := newTab(t)
	b.open(shop.url)
	b.click(add("boots"))
	b.signIn(shop, "ada", "analytical")
	b.sees(`//*[@id="account"]`)
	id := b.cookie().Value[:22]
	b.open(shop.url + "/cart")
	b.open(shop.url + "/account")
	b.click(signOut)
	b.sees(count(0))
	if n := len(b.cookies()); n != 0 {
		t.Errorf("%d cookies after the sign-out", n)
	}

	b.back(signIn)
	b.screenshot("back-after-sign-out")
	for _, private := range []string{"ada\n", "Hello", id, "Ankle boots", "149"} {
		if strings.Contains(b.text(), private) {
			t.Errorf("Back shows %q:\n%s", private, b.text())
		}
	}
	b.back(`//h1[.="Your cart"]`)
	b.sees(count(0))
	if strings.Contains(b.text(), "Ankle boots") {
		t.Errorf("Back shows the cart:\n%s", b.text())
	}
}

func TestBrowserLosesNothingInTwoTabs(t *testing.T) {
	const clicks, burst = 8, 40
	shop := start(t, "sqlite:"+filepath.Join(t.TempDir(), "shop.db"))
	one := newTab(t)
	one.open(shop.url)
	one.click(add("scarf")) // so that both have the session
	two := one.another()
	two.open(shop.url)

	ended := make(chan error)
	for _, b := range []*tab{one, two} {
		go func() {
			for range clicks {
				if err := b.tryClick(add("gloves")); err != nil {
					ended <- err
					return
				}
			}
			// Clicks rarely meet; these do.
			ended <- b.await(fmt.Sprintf(`Promise.all(Array.from({length: %d}, () =>
				fetch("/cart/gloves", {method: "POST", body: new URLSearchParams({do: "add"})})))`, burst))
		}()
	}
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	for _, b := range []*tab{one, two} {
		b.open(shop.url + "/cart")
		b.sees(inCart("gloves", 2*(clicks+burst)))
		b.sees(inCart("scarf", 1))
	}
	one.screenshot("two-tabs")
}
