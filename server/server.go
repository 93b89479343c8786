// Package server offers a coatcheck manager over HTTP, to programs in any
// language: see the OpenAPI document at /openapi.json.
//
// A token travels in the header Authorization: Bearer and never in a URL.
// Errors are application/problem+json (RFC 9457).
package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/outage"
)

// pingTimeout bounds how long /readyz waits for the store.
const pingTimeout = 2 * time.Second

// bodyAllowance is what a request body may hold besides the value: white
// space, names, and the subject.
const bodyAllowance = 16 << 10

// Config configures the service. Manager and Store are required.
type Config struct {
	// Manager keeps the values. Make it with the codec [RawJSON].
	Manager *coatcheck.Manager[json.RawMessage]

	// Store is the manager's, for /readyz.
	Store coatcheck.Store

	// MaxValueBytes is the manager's limit, to which that of a request's body
	// is fitted. Default coatcheck.DefaultMaxValueBytes.
	MaxValueBytes int

	// APIKeys are accepted in the header X-API-Key. None: no key is asked for,
	// so let nobody but this machine's programs reach the service.
	APIKeys APIKeys

	// AdminKeys are accepted in the header X-API-Key by the calls on the sessions
	// of others, and by no other call; nor are APIKeys accepted there. None: these
	// calls are refused.
	AdminKeys APIKeys

	// Version is stated in the OpenAPI document.
	Version string

	// Logger gets a line for each request (debug) and each failure of the
	// service (error); of a store that cannot be reached, one a second. It is
	// never given a token. Default: slog.Default.
	Logger *slog.Logger
}

func init() {
	// The names of members are case-sensitive in JSON and in our document, but
	// not by default in huma, which has no setting for one API.
	huma.ValidateStrictCasing = true
}

// New returns the service's handler. The error wraps [coatcheck.ErrInvalid].
func New(config Config) (http.Handler, error) {
	if config.Manager == nil || config.Store == nil {
		return nil, fmt.Errorf("server: configuration: %w: Manager and Store are required", coatcheck.ErrInvalid)
	}
	if config.MaxValueBytes < 0 {
		return nil, fmt.Errorf("server: configuration: %w: MaxValueBytes is %d: must be positive, or 0 for %d",
			coatcheck.ErrInvalid, config.MaxValueBytes, coatcheck.DefaultMaxValueBytes)
	}
	if config.APIKeys.meet(config.AdminKeys) {
		return nil, fmt.Errorf("server: configuration: %w: a key is both in APIKeys and in AdminKeys: whoever has an API key would be an administrator",
			coatcheck.ErrInvalid)
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.MaxValueBytes == 0 {
		config.MaxValueBytes = coatcheck.DefaultMaxValueBytes
	}
	s := &service{Config: config}

	mux := http.NewServeMux()
	api := humago.New(mux, s.apiConfig())
	s.registerSessions(api)
	s.registerRenew(api)
	s.registerSubjects(api)
	s.registerHealth(api)
	s.registerVars(api)
	document, err := json.MarshalIndent(api.OpenAPI(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("server: OpenAPI document: %w", err)
	}
	// Not huma's own handler: it makes the document at the first request,
	// without a lock.
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(document) // an error means that the client has gone
	})
	return s.around(mux), nil
}

// service is the state that the handlers share.
type service struct {
	Config
	outage outage.Log
}

func (s *service) apiConfig() huma.Config {
	c := huma.DefaultConfig("coatcheck", s.Version)
	c.Info.Description = "Hand over a value, get a token; show the token, get the value back."
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", "" // no page that loads scripts from elsewhere
	c.CreateHooks = nil                                   // no $schema in bodies
	format := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshal}
	c.Formats = map[string]huma.Format{"application/json": format, "json": format}
	c.Transformers = []huma.Transformer{withoutEcho}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		bearerScheme: {Type: "http", Scheme: "bearer", Description: "A token, as POST /v1/sessions returns it."},
		keyScheme:    {Type: "apiKey", In: "header", Name: keyHeader, Description: "Asked for if the service was started with --api-key-file."},
		adminScheme:  {Type: "apiKey", In: "header", Name: keyHeader, Description: "A key of --admin-key-file. It opens no other calls, and no other key opens these."},
	}
	return c
}

type healthOutput struct {
	Body struct {
		Status string `json:"status" enum:"ok"`
	}
}

func (s *service) registerHealth(api huma.API) {
	ok := &healthOutput{}
	ok.Body.Status = "ok"
	huma.Register(api, huma.Operation{
		OperationID: "health", Method: http.MethodGet, Path: "/healthz",
		Summary: "Whether the process is alive", Tags: []string{"health"},
	}, func(context.Context, *struct{}) (*healthOutput, error) { return ok, nil })

	huma.Register(api, huma.Operation{
		OperationID: "ready", Method: http.MethodGet, Path: "/readyz",
		Summary: "Whether the store can be reached", Tags: []string{"health"}, Errors: []int{http.StatusServiceUnavailable},
	}, func(ctx context.Context, _ *struct{}) (*healthOutput, error) {
		ctx, cancel := context.WithTimeout(ctx, pingTimeout)
		defer cancel()
		if err := coatcheck.Ping(ctx, s.Store); err != nil {
			return nil, s.problem(ctx, err)
		}
		return ok, nil
	})
}

type varsOutput struct {
	Body struct {
		Coatcheck coatcheck.Stats `json:"coatcheck" doc:"Counters since the process began, and the state of the near cache."`
	}
}

// registerVars adds the counters, where programs that read those of package
// expvar look for them.
func (s *service) registerVars(api huma.API) {
	op := s.operation(huma.Operation{
		OperationID: "vars", Method: http.MethodGet, Path: "/debug/vars", Summary: "Counters",
	}, anybody)
	op.Tags = []string{"health"}
	huma.Register(api, op, func(context.Context, *struct{}) (*varsOutput, error) {
		out := &varsOutput{}
		out.Body.Coatcheck = s.Manager.Stats()
		return out, nil
	})
}

// problem turns an error of the manager into the answer to the client. This
// is the only place that knows which is which.
func (s *service) problem(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, coatcheck.ErrNotFound):
		return newProblem(http.StatusNotFound, "session", "nothing is behind this token: it is unknown, has expired, or its session was ended")
	case errors.Is(err, coatcheck.ErrTooManySessions):
		return newProblem(http.StatusForbidden, "too-many-sessions", "the subject has as many sessions as it may have: end one of them")
	case errors.Is(err, coatcheck.ErrRenewed):
		return newProblem(http.StatusConflict, "renewed", "another request has renewed the token just now, and was given the new one; this one works for a while yet")
	case errors.Is(err, errors.ErrUnsupported):
		return newProblem(http.StatusNotImplemented, "unsupported", "the store of the service cannot find the sessions of a subject")
	case errors.Is(err, coatcheck.ErrConflict):
		return newProblem(http.StatusConflict, "overtaken", "others changed the session at the same moment, again and again: try again")
	case errors.Is(err, coatcheck.ErrTooLarge):
		return newProblem(http.StatusRequestEntityTooLarge, "value-too-large", fmt.Sprintf("the value is too large: at most %d bytes of compact JSON are kept", s.MaxValueBytes))
	case errors.Is(err, coatcheck.ErrInvalid):
		return newProblem(http.StatusUnprocessableEntity, "request", err.Error())
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return newProblem(http.StatusServiceUnavailable, "given-up", "the request was given up") // by the client, who has gone
	case errors.Is(err, coatcheck.ErrUnavailable), errors.Is(err, coatcheck.ErrClosed),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		s.outage.Tell(ctx, s.Logger, err)
		return huma.ErrorWithHeaders(
			newProblem(http.StatusServiceUnavailable, "store", "the store cannot be reached at the moment; if this was a change, it may or may not have been made"),
			http.Header{"Retry-After": {"1"}})
	default:
		s.Logger.ErrorContext(ctx, "request failed", "error", err)
		return newProblem(http.StatusInternalServerError, "internal", "internal error: see the log of the service")
	}
}
