// Package httpsession puts sessions into package net/http: a middleware that
// takes the token from a cookie or from the header Authorization, gives each
// request a [coatcheck.Session], and saves it before the first byte of the
// response.
//
//	sessions, err := httpsession.New(manager, httpsession.Config{})
//	...
//	handler := sessions.Handler(mux)
//
// In a handler sessions.From(r.Context()) is the session of the request. Nothing
// is read from the store until it is asked for. A single handler can be given its session
// as an argument, by sessions.HandlerFunc, which is quicker.
//
// # When the session is saved
//
// At the first of Write, WriteHeader (but for 1xx), ReadFrom, Flush and Hijack, or
// when a handler that wrote nothing returns: so that the client never hears of
// what is not stored. Should that fail, the client is told so instead of what the
// handler would have written: see Config.ErrorHandler. It is saved even if the
// client has gone by then.
//
// It is not saved when the handler panics, nor when the status is 5xx, nor when the
// handler calls [Middleware.Error]: a request that failed changes nothing. To save
// before, call its Flush. What it destroys is ended at once, in any case. (After a
// Flush a panic still keeps a new token from the client.) A Flush that failed is not
// repeated, for it may have done its work: the handler answers with 4xx or 5xx, or is
// answered for.
//
// So Handler belongs around a whole framework, not inside it: one that turns the
// errors of its handlers into a 500 does so after its own middleware.
//
// What a handler changes after the first byte is saved when it returns, or when it
// calls Flush. But the token must not change any more: a session cannot begin
// then, nor be renewed, and coatcheck.ErrTokenFixed is returned, or logged.
//
// # When the token is renewed
//
// At a login, by SetSubject, and where a handler calls Renew; and, with RenewEvery in
// coatcheck.Config, when it is older than that: in the response to a request that has
// read its session before the first byte, together with what was changed. Not with
// 5xx, after [Middleware.Error], by Hijack, nor for a client that has gone, for it
// would not learn of the token. Should it fail, a request that only reads is answered
// all the same, and the log tells. The parallel requests of a page go on with the old
// token for RenewGrace, and get no cookie.
//
// # What the response says
//
// Set-Cookie, only if the token has changed, then with Cache-Control: no-store. If the
// handler asked for the session before the first byte: Vary, and Cache-Control:
// no-store, unless the handler has set that itself, so that what is private is not
// seen by whoever presses Back after a logout.
//
// # Requests at once
//
// Requests of one session may change it at the same time: no change is lost. But
// where there is no session yet, each begins its own, and the client keeps that of
// the last response. And a login gives the session a new token: requests that are
// still under way with the old one find nothing when they read, and get a 401 if they
// change something, rather than a cookie that would undo the login.
//
// # Cross-site requests
//
// A cookie travels with requests that other sites cause. SameSite=Lax, the
// default, keeps it from most of them; wrap the handler into
// [net/http.CrossOriginProtection] as well, which refuses the rest.
package httpsession
