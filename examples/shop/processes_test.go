package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
)

func TestBrowserFollowsCart(t *testing.T) {
	redis := redistest.Start(t)
	shop, sister := start(t, redis.URL()), start(t, redis.URL())
	watching := newTab(t)
	watching.open(shop.url)
	watching.click(add("watch"))
	watching.open(shop.url + "/live")
	watching.sees(live("watch", 1))
	watching.sees(`//*[@id="state"][.="connected"]`)
	changing := watching.another()

	t.Run("from another tab", func(t *testing.T) {
		watching, changing := watching.in(t), changing.in(t)
		changing.open(shop.url)
		changing.click(add("watch"))
		watching.sees(live("watch", 2))
	})
	t.Run("from another process", func(t *testing.T) {
		watching, changing := watching.in(t), changing.in(t)
		changing.open(sister.url)
		changing.click(add("suitcase"))
		watching.sees(live("suitcase", 1))
		watching.sees(count(3))
		watching.screenshot("live")
	})
	t.Run("after a sign-in elsewhere", func(t *testing.T) {
		watching, changing := watching.in(t), changing.in(t)
		changing.signIn(sister, "ada", "analytical")
		changing.open(sister.url)
		changing.click(add("coat"))
		watching.sees(live("coat", 1))
	})
	t.Run("after a restart", func(t *testing.T) {
		watching, changing := watching.in(t), changing.in(t)
		shop.stop(t) // which the open stream does not hold up
		watching.sees(`//*[@id="state"][.="waiting for the shop"]`)
		start(t, redis.URL(), shop.addr())
		changing.click(add("coat"))
		watching.sees(live("coat", 2))
	})
}

func TestBrowserFindsCartAtBothProcesses(t *testing.T) {
	redis := redistest.Start(t)
	shop, sister := start(t, redis.URL()), start(t, redis.URL())
	b := newTab(t)
	b.open(shop.url)
	b.click(add("coat"))
	for n := 2; n <= 6; n++ { // there and back
		shop, sister = sister, shop
		b.open(shop.url)
		seeSoon(b, shop, n-1)
		b.click(add("coat"))
		b.sees(count(n))
	}
	b.screenshot("two-processes-1")
	b.signIn(shop, "grace", "nanosecond")
	seeSoon(b, sister, 6)
	b.sees(`//a[@id="user"][.="grace"]`)
	b.screenshot("two-processes-2")
}

// seeSoon loads the page until it is as new as it must be MaxStaleness after a
// change.
func seeSoon(b *tab, shop *process, n int) {
	b.t.Helper()
	changed := time.Now()
	for {
		late := time.Since(changed) > coatcheck.DefaultMaxStaleness
		b.open(shop.url)
		got := b.evaluate(`document.getElementById("count").innerText`)
		if got == fmt.Sprint(n) {
			return
		}
		if late {
			b.t.Fatalf("%s pieces in the cart at %s, want %d", got, shop.url, n)
		}
	}
}
