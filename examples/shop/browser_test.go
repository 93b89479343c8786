package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// How long each test in the browser may take, and each step of it: ten times what
// they do.
const (
	journeyTimeout = 90 * time.Second
	stepTimeout    = 15 * time.Second
)

// screenshotsIn names the folder where screenshots are kept; without it none are
// taken.
const screenshotsIn = "COATCHECK_SCREENSHOTS"

// browser is Chromium, started once for all tests. Each has a profile of its own in
// it: see newTab.
var browser struct {
	once sync.Once
	ctx  context.Context
	err  error
	stop func()
}

func startBrowser() (context.Context, error) {
	browser.once.Do(func() {
		path, err := exec.LookPath("chromium")
		if err != nil {
			browser.err = fmt.Errorf("%w: install it with scripts/install-chromium.sh", err)
			return
		}
		// The folder for the profile is new, and removed afterwards, by default.
		options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.WindowSize(1200, 900)}
		for _, flag := range []string{
			"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
			"disable-background-networking", "disable-component-update", "disable-sync",
		} {
			options = append(options, chromedp.Flag(flag, true))
		}
		allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
		browser.ctx, _ = chromedp.NewContext(allocator)
		browser.stop = func() {
			inTime, done := context.WithTimeout(browser.ctx, 10*time.Second)
			defer done()
			_ = chromedp.Cancel(inTime) // and if it does not end by itself:
			cancel()
		}
		browser.err = chromedp.Do(browser.ctx)
	})
	return browser.ctx, browser.err
}

// closeBrowser ends the browser, if there is one.
func closeBrowser() {
	if browser.stop != nil {
		browser.stop()
	}
}

// tab is a tab of the browser.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// newTab opens a tab with a profile that has no cookies yet, until the end of
// the test.
func newTab(t *testing.T) *tab {
	t.Helper()
	parent, err := startBrowser()
	if err != nil {
		t.Fatal(err)
	}
	return openTab(t, parent, chromedp.WithNewBrowserContext())
}

// another opens a tab that shares the profile, and so the cookies.
func (b *tab) another() *tab {
	b.t.Helper()
	return openTab(b.t, b.ctx)
}

func openTab(t *testing.T, parent context.Context, options ...chromedp.ContextOption) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent, append(options, chromedp.WithNewWindow(true))...)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // its context is the tab's: it has no timeout
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(ctx, journeyTimeout)
	t.Cleanup(cancel)
	return &tab{t, ctx}
}

// in is the tab for a subtest.
func (b *tab) in(t *testing.T) *tab { return &tab{t, b.ctx} }

func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// open goes to a page and waits until it is there.
func (b *tab) open(url string) {
	b.t.Helper()
	b.do("open "+url, chromedp.Navigate(url))
}

// click clicks what the XPath finds, and waits until the next page is there.
func (b *tab) click(xpath string) {
	b.t.Helper()
	if err := b.tryClick(xpath); err != nil {
		b.t.Fatal(err)
	}
}

// tryClick is click for other goroutines than the test's.
func (b *tab) tryClick(xpath string) error {
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	res, err := chromedp.RunResponse(ctx, chromedp.Click(xpath))
	if err == nil && res.Status >= 500 {
		err = fmt.Errorf("status %d", res.Status)
	}
	if err != nil {
		return fmt.Errorf("click %s: %w", xpath, err)
	}
	return nil
}

// sees waits until what the XPath finds can be seen.
func (b *tab) sees(xpath string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.WaitVisible(xpath)); err != nil {
		b.t.Fatalf("look for %s: %v at\n%s", xpath, err, b.evaluate("location.href + '\\n' + document.body.innerText"))
	}
}

// back goes back as the browser's button does, and waits for what the XPath finds.
// The page may come from the browser's memory: then nothing loads.
func (b *tab) back(xpath string) {
	b.t.Helper()
	b.do("go back", chromedp.Evaluate[chromedp.Void]("history.back()"))
	b.sees(xpath)
}

// evaluate returns the result of an expression in the page.
func (b *tab) evaluate(js string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	result, err := chromedp.Run(ctx, chromedp.Evaluate[string](js))
	if err != nil {
		b.t.Fatalf("%s: %v", js, err)
	}
	return result
}

// text is what the page says.
func (b *tab) text() string {
	b.t.Helper()
	return b.evaluate("document.body.innerText")
}

// await is evaluate for a promise, and for other goroutines than the test's.
func (b *tab) await(js string) error {
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	return chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](js, chromedp.EvalAwaitPromise))
}

// cookies returns the cookies that go to the page, as the browser holds them.
func (b *tab) cookies() []*network.Cookie {
	b.t.Helper()
	got, err := chromedp.Run(b.ctx, func(ctx context.Context, t *chromedp.Target) ([]*network.Cookie, error) {
		result, err := cdp.Call(ctx, t, network.GetCookies, network.GetCookiesParams{})
		return result.Cookies, err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return got
}

// cookie returns the only one.
func (b *tab) cookie() *network.Cookie {
	b.t.Helper()
	all := b.cookies()
	if len(all) != 1 {
		b.t.Fatalf("the browser holds %d cookies for the shop, want 1", len(all))
	}
	return all[0]
}

// screenshot keeps the whole page under the name, if that was asked for.
func (b *tab) screenshot(name string) {
	b.t.Helper()
	folder := os.Getenv(screenshotsIn)
	if folder == "" {
		return
	}
	image, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatalf("screenshot %s: %v", name, err)
	}
	file := filepath.Join(folder, name+".png")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(file, image, 0o644); err != nil {
		b.t.Fatal(err)
	}
}
