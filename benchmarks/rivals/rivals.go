// Package rivals has one adapter for each way to have sessions in a Go server, so
// that all can be given the same work. An adapter configures its library as that
// library's documents advise, and does nothing else.
package rivals

import (
	"errors"
	"net/http"
)

// ErrMissing is returned by a Client whose session is not there, or not whole.
var ErrMissing = errors.New("rivals: the session is missing")

// Env is what a subject finds when it is opened.
type Env struct {
	Redis    string  // address of a server that is empty, or "" for subjects of memory
	Value    Profile // of each new session
	Parallel int     // how many clients there will be at once: for the sizes of pools
}

// Subject is one way to have sessions.
type Subject struct {
	Name       string // such as "scs-redis"
	Module     string // whose version is told; empty if there is none
	Redis      bool   // it keeps sessions in Redis
	Direct     bool   // a floor, called without HTTP: it cannot be served
	MaxValue   int    // the most bytes of a value, as JSON, that it is sure to hold; 0 for all
	Lags       bool   // for a moment a read may miss even a change made through the same App
	Configured string // with which calls and settings
	Reads      string // what a read costs it: whom it asks, what it decodes
	Gives      string // what it does that others do not, or does not that others do
	Open       func(Env) (App, error)
}

// lastWriterWins is what most subjects have in common.
const lastWriterWins = "the last writer wins, and a request in flight undoes a logout"

// All returns the subjects, from the least that a session can cost to what is made
// by hand.
func All() []Subject {
	return []Subject{
		bareHandler,
		bareContext,
		bareOtter,
		bareRedis,
		coatcheckMemory,
		coatcheckRedis,
		coatcheckRedisFrom,
		coatcheckRedisUncached,
		scsMemory,
		scsRedis,
		gorillaCookie,
		gorillaRedis,
		goSessionMemory,
		ginMemory,
		ginRedis,
		fiberMemory,
		fiberRedis,
		handmadeRedis,
		handmadeRedisUncached,
	}
}

// App is a subject at work.
type App interface {
	// Client returns a new client without a session. Clients may work at the same
	// time; one client does one thing after the other.
	Client() Client
	Close() error
}

// Client does one request, or one call of a floor, at a time. Each method returns an
// error if the answer is not the one it should be, among others if a read does not
// find the value.
type Client interface {
	Create() error // a new session, forgetting the one it has
	Read() error   // the whole value of the session, decoded
	Change() error // of one field, as a request would: read, count Views up, save
	Logout() error // ends the session, at the server too
}

// Web is an App that is a handler. It serves POST /create, GET /read, POST /change
// and POST /logout, and answers "ok".
type Web interface {
	App
	http.Handler
}
