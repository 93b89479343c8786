package main

import (
	"bytes"
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
)

// Session is what handlers work with.
type Session = coatcheck.Session[Visit]

type shopConfig struct {
	ServedBy string          // said at the bottom of each page
	Closing  <-chan struct{} // closed when event streams should end
}

type shop struct {
	shopConfig
	sessions *httpsession.Middleware[Visit]
}

// managerConfig has tokens renewed while their sessions are used, so that a stolen one
// is of use to nobody for long, and tells the log what happens.
func managerConfig(store coatcheck.Store) coatcheck.Config[Visit] {
	return coatcheck.Config[Visit]{Store: store, RenewEvery: 15 * time.Minute, OnEvent: coatcheck.LogEvents(slog.Default())}
}

// newShop returns the shop's handler.
func newShop(manager *coatcheck.Manager[Visit], config shopConfig) (http.Handler, error) {
	s := &shop{shopConfig: config}
	var err error
	s.sessions, err = httpsession.New(manager, httpsession.Config{
		ErrorHandler:  s.sorry,
		RecordAddress: true, RecordUserAgent: true, // for users to recognise their sessions by
	})
	if err != nil {
		return nil, err
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.with(s.catalogue))
	mux.HandleFunc("GET /cart", s.with(s.cart))
	mux.HandleFunc("POST /cart/{good}", s.with(s.changeCart))
	mux.HandleFunc("POST /checkout", s.with(private(s.checkout)))
	mux.HandleFunc("GET /signin", s.with(s.signInForm))
	mux.HandleFunc("POST /signin", s.with(s.signIn))
	mux.HandleFunc("POST /signout", s.with(s.signOut))
	mux.HandleFunc("GET /account", s.with(private(s.account)))
	mux.HandleFunc("POST /account/sessions/{id}/end", s.with(private(s.endOne)))
	mux.HandleFunc("POST /account/sessions/end-others", s.with(private(s.endOthers)))
	mux.HandleFunc("GET /live", s.with(s.live))
	mux.HandleFunc("GET /live/events", s.with(s.liveEvents))
	mux.Handle("GET /static/", http.FileServerFS(files))

	var handler http.Handler = s.sessions.Handler(mux)
	handler = http.NewCrossOriginProtection().Handler(handler) // the cookie alone proves no intent
	handler = http.MaxBytesHandler(handler, 64<<10)
	return safer(handler), nil
}

// handlerFunc handles a request and its session. An error of the session is
// returned if nothing has been written yet.
type handlerFunc func(http.ResponseWriter, *http.Request, *Session) error

// with gives a handler the session of the request, and answers its error.
func (s *shop) with(handle handlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := handle(w, r, s.sessions.From(r.Context())); err != nil {
			s.sessions.Error(w, r, err)
		}
	}
}

// private keeps out who has not signed in.
func private(handle handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request, session *Session) error {
		info, err := session.Info(r.Context())
		if err != nil {
			return err
		}
		if info.Subject == "" {
			http.Redirect(w, r, "/signin", http.StatusSeeOther)
			return nil
		}
		return handle(w, r, session)
	}
}

// safer tells browsers to run no script but the shop's own.
func safer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

//go:embed templates static
var files embed.FS

var pages = map[string]*template.Template{
	"catalogue": parse("catalogue"), "cart": parse("cart"), "signin": parse("signin"),
	"account": parse("account"), "live": parse("live"), "sorry": parse("sorry"),
}

func parse(name string) *template.Template {
	return template.Must(template.ParseFS(files, "templates/layout.html", "templates/"+name+".html"))
}

// page is what templates are given.
type page struct {
	Visit    Visit
	Session  coatcheck.Info
	Sessions []coatcheck.Info // of the user, on the page of the account
	Goods    []Good
	Fault    string
	ServedBy string
}

// show shows a page with all that it may need to know of the session.
func (s *shop) show(w http.ResponseWriter, r *http.Request, session *Session, status int, name string, p page) (err error) {
	ctx := r.Context()
	if p.Visit, err = session.Get(ctx); err != nil {
		return err
	}
	if p.Session, err = session.Info(ctx); err != nil {
		return err
	}
	if p.Visit.Flash != "" { // p has it: the next page will not
		if err := session.Change(ctx, func(v *Visit) error { v.Flash = ""; return nil }); err != nil {
			return err
		}
	}
	s.write(w, r, status, name, p)
	return nil
}

func (s *shop) write(w http.ResponseWriter, r *http.Request, status int, name string, p page) {
	p.Goods, p.ServedBy = goods, s.ServedBy
	var html bytes.Buffer
	if err := pages[name].Execute(&html, p); err != nil {
		slog.ErrorContext(r.Context(), "shop: page", "name", name, "error", err)
		http.Error(w, "this page is broken", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = html.WriteTo(w) // the visitor may have gone
}

// sorry answers requests whose session could not be read or saved.
func (s *shop) sorry(w http.ResponseWriter, r *http.Request, err error) {
	status := httpsession.ErrorStatus(err)
	slog.WarnContext(r.Context(), "shop: session", "status", status, "error", err)
	w.Header().Set("Cache-Control", "no-store")
	s.write(w, r, status, "sorry", page{Fault: http.StatusText(status)})
}
