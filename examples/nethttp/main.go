// Command nethttp counts the visits of each visitor, on package net/http.
package main

import (
	"fmt"
	"log"
	"net/http"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
	"github.com/coatcheck/coatcheck/memstore"
)

type Visit struct{ Count int }

func handler(sessions *httpsession.Middleware[Visit]) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		session := sessions.From(ctx)
		if err := session.Change(ctx, func(v *Visit) error { v.Count++; return nil }); err != nil {
			sessions.Error(w, r, err)
			return
		}
		visit, _ := session.Get(ctx) // which cannot fail after Change
		fmt.Fprintf(w, "visit %d\n", visit.Count)
	})
	return sessions.Handler(mux)
}

func main() {
	store, err := memstore.New(memstore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	manager, err := coatcheck.New(coatcheck.Config[Visit]{Store: store})
	if err != nil {
		log.Fatal(err)
	}
	sessions, err := httpsession.New(manager, httpsession.Config{})
	if err != nil {
		log.Fatal(err)
	}
	log.Println("listening on http://127.0.0.1:8080")
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", handler(sessions)))
}
