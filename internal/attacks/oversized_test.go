package attacks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/server"
)

// startService runs the service with small limits, and returns its address.
func startService(t *testing.T) (url string, manager *coatcheck.Manager[json.RawMessage]) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	store := memory(t)
	manager, err := coatcheck.New(coatcheck.Config[json.RawMessage]{Store: store, Codec: server.RawJSON{}, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close() })
	handler, err := server.New(server.Config{Manager: manager, Store: store, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL, manager
}

func post(t *testing.T, url, token string, method string, body io.Reader, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// endless is a body without an end; it counts what was taken of it.
type endless struct{ taken atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	if e.taken.Add(int64(len(p))) > 1<<30 {
		return 0, io.EOF
	}
	return len(p), nil
}

// Oversized everything: whatever can be long is longer than it may be.
func TestAttackOversizedEverything(t *testing.T) {
	t.Run("site", func(t *testing.T) {
		s := startSite(t, coatcheck.Config[account]{MaxValueBytes: 1 << 10}, nil)
		b := &browser{site: s}
		b.send("POST", "/note", "note=small")
		if status, _ := b.send("POST", "/note", "note="+strings.Repeat("x", 1<<20)); status != http.StatusRequestEntityTooLarge {
			t.Errorf("a value that is too large: status %d, want 413", status)
		}
		if status, _ := b.send("POST", "/login", "name="+strings.Repeat("x", 256)); status != http.StatusInternalServerError {
			t.Errorf("a subject that is too long, which is the site's fault: status %d, want 500", status)
		}
		b.want("afterwards", "|small")

		many := "x=" + strings.Repeat("y", 20) + "; "
		big := &browser{s, strings.Repeat("A", 500_000)} // the most that net/http takes, by default, is a megabyte
		if status, _ := big.send("GET", "/", ""); status != http.StatusOK {
			t.Errorf("a cookie of half a megabyte: status %d", status)
		}
		big.cookie = "x; " + strings.Repeat(many, 20_000) + cookieName + "=" + b.cookie
		big.want("behind 20,000 cookies", "|small")
	})
	t.Run("manager", func(t *testing.T) {
		m := newManager(t, memory(t))
		long := strings.Repeat("x", 1<<20)
		_, err := m.Generate(t.Context(), account{Note: long})
		wantErr(t, "a value", err, coatcheck.ErrTooLarge)
		_, err = m.Generate(t.Context(), account{}, coatcheck.ForSubject(long))
		wantErr(t, "a subject", err, coatcheck.ErrInvalid)
		_, err = m.Generate(t.Context(), account{}, coatcheck.WithID(long))
		wantErr(t, "an ID", err, coatcheck.ErrInvalid)
		_, err = m.Get(t.Context(), coatcheck.Token(long))
		wantErr(t, "a token", err, coatcheck.ErrNotFound)
		wantErr(t, "an ID to revoke", m.Revoke(t.Context(), long), coatcheck.ErrInvalid)
	})
	t.Run("service", func(t *testing.T) {
		url, _ := startService(t)
		body := new(endless)
		status, _ := post(t, url+"/v1/sessions", "", "POST", body)
		if status != http.StatusRequestEntityTooLarge || body.taken.Load() > 8<<20 {
			t.Errorf("an endless body: status %d after %d bytes", status, body.taken.Load())
		}
		large := `{"value":"` + strings.Repeat("x", coatcheck.DefaultMaxValueBytes) + `"}`
		if status, _ := post(t, url+"/v1/sessions", "", "POST", strings.NewReader(large)); status != http.StatusRequestEntityTooLarge {
			t.Errorf("a value that is too large: status %d", status)
		}
		if status, _ := post(t, url+"/v1/session", strings.Repeat("A", 100_000), "GET", nil); status != http.StatusUnauthorized {
			t.Errorf("a token that is too long: status %d", status)
		}
		if status, _ := post(t, url+"/v1/session", strings.Repeat("A", 44), "PUT", strings.NewReader(`{"value":1}`),
			"If-Match", strings.Repeat(`"1",`, 20_000)+`"1"`); status != http.StatusNotFound && status != http.StatusBadRequest {
			t.Errorf("a long If-Match: status %d", status)
		}
	})
}

// JSON bombs: little to send, much to work on, or two meanings for two readers.
func TestAttackJSONBombs(t *testing.T) {
	url, manager := startService(t)
	const depth = 30_000 // as deep as MaxValueBytes allows
	bombs := map[string]string{
		"nested arrays":       strings.Repeat("[", depth) + strings.Repeat("]", depth),
		"nested objects":      strings.Repeat(`{"a":`, depth/3) + "1" + strings.Repeat("}", depth/3),
		"arrays left open":    strings.Repeat("[", depth),
		"a number of digits":  strings.Repeat("9", depth),
		"a huge exponent":     "1e999999999",
		"a tiny exponent":     "1e-999999999",
		"an escape per byte":  `"` + strings.Repeat(`\u0000`, depth/6) + `"`,
		"half a surrogate":    `"\ud800"`,
		"a key twice":         `{"admin":false,"admin":true}`,
		"a key in two spells": `{"admin":false,"\u0061dmin":true}`,
		"many keys":           "{" + strings.Repeat(`"a":1,`, depth/6) + `"a":1}`,
		"not UTF-8":           "\"\xff\xfe\"",
	}
	var before, after runtime.MemStats
	for name, bomb := range bombs {
		t.Run(name, func(t *testing.T) {
			runtime.ReadMemStats(&before)
			status, text := post(t, url+"/v1/sessions", "", "POST", strings.NewReader(`{"value":`+bomb+`}`))
			var made struct{ Token string }
			switch status {
			case http.StatusCreated:
				if err := json.Unmarshal([]byte(text), &made); err != nil {
					t.Fatal(err)
				}
			case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
			default:
				t.Errorf("status %d: %.200s", status, text)
			}
			// As a patch, too, upon itself.
			token, err := manager.Generate(t.Context(), json.RawMessage(`{"admin":false}`))
			if err != nil {
				t.Fatal(err)
			}
			for _, to := range []string{string(token), made.Token} {
				if to == "" {
					continue
				}
				status, text := post(t, url+"/v1/session", to, "PATCH", strings.NewReader(bomb), "Content-Type", "application/merge-patch+json")
				if status >= 500 {
					t.Errorf("patched: status %d: %.200s", status, text)
				}
				if value, err := manager.Get(t.Context(), coatcheck.Token(to)); err != nil || !json.Valid(value) {
					t.Errorf("afterwards: %.100s, %v", value, err)
				} else if n := bytes.Count(value, []byte(`"admin"`)); to != made.Token && n > 1 {
					t.Errorf("the value has a key %d times: %s", n, value)
				}
			}
			runtime.ReadMemStats(&after)
			if used := after.TotalAlloc - before.TotalAlloc; used > 256<<20 {
				t.Errorf("%d MB were allocated for %d bytes", used>>20, len(bomb))
			}
		})
	}
	if status, _ := post(t, url+"/v1/sessions", "", "POST", strings.NewReader(`{"value":1}`)); status != http.StatusCreated {
		t.Error(fmt.Sprint("the service does not answer any more: ", status))
	}
}
