package rivals

import (
	"io"
	"net"
	"net/http"
	"testing"
)

// TestServe speaks HTTP with each subject over a connection, and ends it.
func TestServe(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			app := open(t, s, newEnv(t, s, sizes[0], 0))
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if s.Direct {
				if err := Serve(app, l); err == nil {
					t.Error("a floor serves HTTP")
				}
				return
			}
			served := make(chan error, 1)
			go func() { served <- Serve(app, l) }()

			browser := &http.Client{Transport: &http.Transport{}}
			url := "http://" + l.Addr().String()
			cookies := visit(t, browser, http.MethodPost, url+"/create", nil)
			visit(t, browser, http.MethodPost, url+"/change", cookies)
			visit(t, browser, http.MethodGet, url+"/read", cookies)
			visit(t, browser, http.MethodPost, url+"/logout", cookies)

			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if err := <-served; err != nil {
				t.Errorf("serve: %v", err)
			}
			if response, err := browser.Get(url + "/read"); err == nil {
				response.Body.Close()
				t.Error("the connection outlives the listener")
			}
		})
	}
}

// visit makes a request that must succeed, and returns the cookies that are in use
// afterwards.
func visit(t *testing.T, browser *http.Client, method, url string, cookies []*http.Cookie) []*http.Cookie {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range cookies {
		request.AddCookie(cookie)
	}
	response, err := browser.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || string(body) != "ok" {
		t.Fatalf("%s %s: status %d, %q (error %v), want 200 and ok", method, url, response.StatusCode, body, err)
	}
	return response.Cookies()
}
