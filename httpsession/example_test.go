package httpsession_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
	"github.com/coatcheck/coatcheck/memstore"
)

// Cart is what this shop remembers of its visitors.
type Cart struct {
	Items int
}

func ExampleMiddleware_Handler() {
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	manager, err := coatcheck.New(coatcheck.Config[Cart]{Store: store})
	if err != nil {
		log.Fatal(err)
	}
	defer manager.Close()
	sessions, err := httpsession.New(manager, httpsession.Config{})
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		// Who it is was found out here, by a password or else.
		if err := sessions.From(r.Context()).SetSubject(r.FormValue("user")); err != nil {
			sessions.Error(w, r, err)
			return
		}
		fmt.Fprintln(w, "welcome")
	})
	mux.HandleFunc("POST /cart", func(w http.ResponseWriter, r *http.Request) {
		err := sessions.From(r.Context()).Change(r.Context(), func(c *Cart) error {
			c.Items++
			return nil
		})
		if err != nil {
			sessions.Error(w, r, err)
			return
		}
		fmt.Fprintln(w, "added")
	})
	mux.HandleFunc("GET /cart", func(w http.ResponseWriter, r *http.Request) {
		session := sessions.From(r.Context())
		cart, err := session.Get(r.Context())
		if err != nil {
			sessions.Error(w, r, err)
			return
		}
		info, err := session.Info(r.Context())
		if err != nil {
			sessions.Error(w, r, err)
			return
		}
		fmt.Fprintf(w, "%d items of %q\n", cart.Items, info.Subject)
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.From(r.Context()).Destroy(r.Context()); err != nil {
			sessions.Error(w, r, err)
			return
		}
		fmt.Fprintln(w, "goodbye")
	})
	var protection http.CrossOriginProtection
	server := httptest.NewTLSServer(protection.Handler(sessions.Handler(mux)))
	defer server.Close()

	browser := server.Client()
	if browser.Jar, err = cookiejar.New(nil); err != nil {
		log.Fatal(err)
	}
	for _, do := range []string{"POST /cart", "POST /login?user=ada", "GET /cart", "POST /logout", "GET /cart"} {
		fmt.Print(do, ": ", ask(browser, server.URL, do))
	}
	// Output:
	// POST /cart: added
	// POST /login?user=ada: welcome
	// GET /cart: 1 items of "ada"
	// POST /logout: goodbye
	// GET /cart: 0 items of ""
}

// ask has the browser make a request, and returns what it shows.
func ask(browser *http.Client, url, do string) string {
	var method, path string
	if _, err := fmt.Sscan(do, &method, &path); err != nil {
		log.Fatal(err)
	}
	r, err := http.NewRequest(method, url+path, nil)
	if err != nil {
		log.Fatal(err)
	}
	response, err := browser.Do(r)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	return string(body)
}

func ExampleMiddleware_HandlerFunc() {
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	manager, err := coatcheck.New(coatcheck.Config[Cart]{Store: store})
	if err != nil {
		log.Fatal(err)
	}
	defer manager.Close()
	sessions, err := httpsession.New(manager, httpsession.Config{})
	if err != nil {
		log.Fatal(err)
	}

	add := func(w http.ResponseWriter, r *http.Request, session *coatcheck.Session[Cart]) {
		if err := session.Change(r.Context(), func(c *Cart) error { c.Items++; return nil }); err != nil {
			sessions.Error(w, r, err)
			return
		}
		cart, err := session.Get(r.Context())
		if err != nil {
			sessions.Error(w, r, err)
			return
		}
		fmt.Fprintf(w, "%d items\n", cart.Items)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /cart", sessions.HandlerFunc(add))
	var protection http.CrossOriginProtection
	server := httptest.NewTLSServer(protection.Handler(mux))
	defer server.Close()

	browser := server.Client()
	if browser.Jar, err = cookiejar.New(nil); err != nil {
		log.Fatal(err)
	}
	for range 2 {
		fmt.Print(ask(browser, server.URL, "POST /cart"))
	}
	// Output:
	// 1 items
	// 2 items
}
