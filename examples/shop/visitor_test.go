package main

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// visitor is a client with a cookie. Like a browser, and unlike
// net/http/cookiejar, it takes the loopback interface for secure.
type visitor struct {
	url, cookie string
}

func newVisitor(url string) *visitor { return &visitor{url: url} }

func (v *visitor) SetCookies(_ *url.URL, cookies []*http.Cookie) {
	for _, c := range cookies {
		v.cookie = c.Value
	}
}

func (v *visitor) Cookies(*url.URL) []*http.Cookie {
	if v.cookie == "" {
		return nil
	}
	return []*http.Cookie{{Name: "__Host-session", Value: v.cookie}}
}

// reply is what a visitor gets to see after all redirects.
type reply struct {
	status int
	path   string
	header http.Header
	body   string
}

func (v *visitor) do(t *testing.T, r *http.Request) reply {
	t.Helper()
	client := http.Client{Jar: v, Timeout: 30 * time.Second}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Request.URL.Path, res.Header, string(body)}
}

func (v *visitor) get(t *testing.T, path string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v.do(t, r)
}

// post sends a form of alternating names and values.
func (v *visitor) post(t *testing.T, path string, form ...string) reply {
	t.Helper()
	return v.do(t, v.form(t, path, form...))
}

func (v *visitor) form(t *testing.T, path string, form ...string) *http.Request {
	t.Helper()
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.url+path, strings.NewReader(values.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// has wants the page to be there, and to hold the texts.
func (p reply) has(t *testing.T, path string, texts ...string) {
	t.Helper()
	if p.status != http.StatusOK || p.path != path {
		t.Fatalf("status %d at %s, want 200 at %s", p.status, p.path, path)
	}
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			t.Errorf("%s does not hold %q:\n%s", path, text, p.body)
		}
	}
}

func (p reply) hasNot(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(p.body, text) {
		t.Errorf("%s holds %q:\n%s", p.path, text, p.body)
	}
}
