package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// unmarshal is encoding/json with errors that say where, and that name no Go
// type.
func unmarshal(data []byte, v any) error {
	if !utf8.Valid(data) {
		return errors.New("the body is not UTF-8")
	}
	err := json.Unmarshal(data, v)
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("malformed JSON at %s: %w", position(data, syntax.Offset), err)
	case errors.As(err, &mismatch):
		return fmt.Errorf("JSON at %s: %s is not allowed here", position(data, mismatch.Offset), mismatch.Value)
	}
	return err
}

// position names the byte before an offset, as errors of encoding/json mean it.
func position(data []byte, offset int64) string {
	offset = min(max(offset, 1), int64(len(data)))
	head := data[:max(offset-1, 0)]
	return fmt.Sprintf("line %d, column %d", bytes.Count(head, []byte{'\n'})+1, len(head)-bytes.LastIndexByte(head, '\n'))
}

// withoutEcho removes from errors what the client sent, which may be a secret
// that ends up in somebody's log, and puts the first fault into the detail.
func withoutEcho(_ huma.Context, _ string, body any) (any, error) {
	problem, ok := body.(*huma.ErrorModel)
	if !ok {
		return body, nil
	}
	out := *problem
	out.Errors = nil
	if out.Status < http.StatusInternalServerError {
		for _, detail := range problem.Errors {
			out.Errors = append(out.Errors, &huma.ErrorDetail{Message: detail.Message, Location: detail.Location})
		}
		if out.Detail == "validation failed" && len(out.Errors) > 0 {
			out.Detail = out.Errors[0].Message + " (" + out.Errors[0].Location + ")"
		}
	}
	return &out, nil
}

// around does for every request what huma does for operations only: no
// caching, problems instead of plain text, no panic without an answer, a line
// in the log. Browsers' requests from other sites are refused.
func (s *service) around(mux *http.ServeMux) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, http.StatusForbidden, "requests from other sites' pages are refused")
	}))
	guarded := protection.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if handler, pattern := mux.Handler(r); pattern == "" && answerUnmatched(w, r, handler) {
			return
		}
		mux.ServeHTTP(w, r)
	}))
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		start := time.Now()
		w := &statusWriter{ResponseWriter: rw}
		w.Header().Set("Cache-Control", "no-store")
		defer func() {
			if p := recover(); p != nil {
				s.Logger.ErrorContext(r.Context(), "panic", "route", r.Pattern, "panic", fmt.Sprint(p))
				if w.status != 0 {
					panic(http.ErrAbortHandler) // too late for an answer: cut the connection
				}
				writeProblem(w, http.StatusInternalServerError, "internal error: see the log of the service")
			}
			// The pattern, not the path: somebody may have put a token there.
			s.Logger.DebugContext(r.Context(), "request", "route", r.Pattern, "status", w.status, "duration", time.Since(start))
		}()
		guarded.ServeHTTP(w, r)
	})
}

// answerUnmatched answers what no pattern of the mux matches. It returns false
// for a redirect, which is the mux's to make.
func answerUnmatched(w http.ResponseWriter, r *http.Request, handler http.Handler) bool {
	probe := &statusProbe{header: http.Header{}}
	handler.ServeHTTP(probe, r)
	switch probe.status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", probe.header.Get("Allow"))
		writeProblem(w, http.StatusMethodNotAllowed, r.Method+" is not possible here, only "+probe.header.Get("Allow"))
	case http.StatusNotFound:
		writeProblem(w, http.StatusNotFound, "there is nothing at this path: see /openapi.json")
	default:
		return false
	}
	return true
}

func writeProblem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	problem := huma.ErrorModel{Title: http.StatusText(status), Status: status, Detail: detail}
	_ = json.NewEncoder(w).Encode(problem) // fails only if the client has gone
}

// statusWriter remembers the status of a response.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// statusProbe keeps the status and the header of a response, not its body.
type statusProbe struct {
	header http.Header
	status int
}

func (p *statusProbe) Header() http.Header         { return p.header }
func (p *statusProbe) WriteHeader(status int)      { p.status = status }
func (p *statusProbe) Write(b []byte) (int, error) { return len(b), nil }
