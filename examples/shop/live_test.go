package main

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"
)

// stream opens the event stream of a visitor, and returns a function that reads
// on until a line holds the text. Without one it reads to the end.
func stream(t *testing.T, v *visitor) (until func(text string)) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.url+"/live/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Jar: v, Timeout: 30 * time.Second}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("Content-Type %s", got)
	}
	lines := bufio.NewScanner(res.Body)
	return func(text string) {
		t.Helper()
		for lines.Scan() {
			if text != "" && strings.Contains(lines.Text(), text) {
				return
			}
		}
		if text != "" || lines.Err() != nil {
			t.Fatalf("the stream ended with error %v before %q came", lines.Err(), text)
		}
	}
}

func TestStream(t *testing.T) {
	v := open(t, "memory:")
	v.post(t, "/cart/boots", "do", "add")
	until := stream(t, v)
	until("Ankle boots")
	v.post(t, "/cart/hat", "do", "add")
	until("Felt hat")

	old := until
	v.post(t, "/signin", "name", "ada", "password", "analytical")
	old("") // with the old token
	until = stream(t, v)
	until("Felt hat")
	v.post(t, "/signout")
	until("Nothing yet")
	until("")
}

func TestStreamEndsAtShutdown(t *testing.T) {
	p := start(t, "memory:")
	v := newVisitor(p.url)
	v.post(t, "/cart/boots", "do", "add")
	until := stream(t, v)
	until("Ankle boots")
	begun := time.Now()
	p.stop(t)
	until("")
	if took := time.Since(begun); took > 4*time.Second {
		t.Errorf("it took %v: the stream held it up", took)
	}
}
