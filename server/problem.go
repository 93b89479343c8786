package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	pathpkg "path"
	"runtime/debug"
	"strings"
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
	var err error
	if target, ok := v.(*any); ok { // for validation: numbers of any size are fine
		*target, err = parse(data)
	} else if err = json.Unmarshal(data, v); err == nil {
		_, patch := v.(*json.RawMessage) // of which we read everything
		if offset, repeated := repeatedName(data, patch); repeated {
			return fmt.Errorf("JSON at %s: a name that this object has already", position(data, offset))
		}
	}
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("malformed JSON at %s: %w", position(data, syntax.Offset), err)
	case errors.As(err, &mismatch):
		kind, _, _ := strings.Cut(mismatch.Value, " ") // the rest is what was sent
		return fmt.Errorf("JSON at %s: %s is not allowed here", position(data, mismatch.Offset), kind)
	}
	return err
}

// position names the byte before an offset, as errors of encoding/json mean it.
func position(data []byte, offset int64) string {
	offset = min(max(offset, 1), int64(len(data)))
	head := data[:max(offset-1, 0)]
	return fmt.Sprintf("line %d, column %d", bytes.Count(head, []byte{'\n'})+1, len(head)-bytes.LastIndexByte(head, '\n'))
}

// What is said of a request's faults: not more than a person reads, nor more than
// was sent.
const (
	maxFaults     = 10
	maxFaultBytes = 200
)

// withoutEcho removes from errors the values that the client sent, which may be
// secrets that end up in somebody's log, and puts the first fault into the
// detail. The names of unknown members stay, cut short: they are what is wrong.
func withoutEcho(_ huma.Context, _ string, body any) (any, error) {
	problem, ok := body.(*huma.ErrorModel)
	if !ok {
		return body, nil
	}
	out := *problem
	out.Errors = nil
	if out.Type == "" {
		out.Type = problemType + "request" // of huma: something about the request is wrong
		if out.Status >= http.StatusInternalServerError {
			out.Type = problemType + "internal"
		}
	}
	if out.Status < http.StatusInternalServerError {
		for _, detail := range problem.Errors[:min(len(problem.Errors), maxFaults)] {
			out.Errors = append(out.Errors, &huma.ErrorDetail{Message: short(detail.Message), Location: short(detail.Location)})
		}
		if out.Detail == "validation failed" && len(out.Errors) > 0 {
			out.Detail = out.Errors[0].Message
			if where := out.Errors[0].Location; where != "body" {
				out.Detail += " (" + where + ")"
			}
		}
	}
	return &out, nil
}

// short returns the text, or what it begins with.
func short(text string) string {
	if len(text) <= maxFaultBytes {
		return text
	}
	return strings.ToValidUTF8(text[:maxFaultBytes], "") + "…"
}

// around does for every request what huma does for operations only: no
// caching, problems instead of plain text, no panic without an answer, a line
// in the log. Browsers' requests from other sites are refused.
func (s *service) around(mux *http.ServeMux) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		WriteProblem(w, http.StatusForbidden, "cross-origin", "requests from other sites' pages are refused")
	}))
	guarded := protection.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		normalize(r)
		keepEscapes(r)
		handler, pattern := mux.Handler(r)
		if path := r.URL.EscapedPath(); pattern == "" || path != pathpkg.Clean(path) {
			answerUnmatched(w, r, handler)
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
				s.Logger.ErrorContext(r.Context(), "panic", "route", r.Pattern, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				if w.status != 0 {
					panic(http.ErrAbortHandler) // too late for an answer: cut the connection
				}
				WriteProblem(w, http.StatusInternalServerError, "internal", "internal error: see the log of the service")
			}
			// The pattern, not the path: somebody may have put a token there.
			s.Logger.DebugContext(r.Context(), "request", "route", r.Pattern, "status", w.status, "duration", time.Since(start))
		}()
		guarded.ServeHTTP(w, r)
	})
}

// normalize spares huma, which compares media types byte by byte, their
// spellings. What it answers is JSON in any case. Several lines of If-Match are
// one list; none of them being filled in is not as if there were no condition.
func normalize(r *http.Request) {
	if lines := r.Header.Values("If-Match"); len(lines) > 0 {
		list := strings.Join(lines, ",")
		if strings.Trim(list, " \t") == "" {
			list = "," // a list of nothing, which parseIfMatch refuses
		}
		r.Header.Set("If-Match", list)
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil {
		r.Header.Set("Content-Type", kind)
	}
	r.Header.Del("Accept")
}

// answerUnmatched answers what no pattern of the mux matches. Where the mux
// would redirect to a tidier path there is nothing, either.
func answerUnmatched(w http.ResponseWriter, r *http.Request, handler http.Handler) {
	probe := &statusProbe{header: http.Header{}}
	handler.ServeHTTP(probe, r)
	if allow := probe.header.Get("Allow"); probe.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", allow)
		WriteProblem(w, http.StatusMethodNotAllowed, "method", r.Method+" is not possible here, only "+allow)
		return
	}
	WriteProblem(w, http.StatusNotFound, "path", "there is nothing at this path: see /openapi.json")
}

// problemType prefixes the kinds of problem, which a program can rely on: the
// same status may have several causes that want different remedies.
const problemType = "urn:coatcheck:problem:"

func newProblem(status int, kind, detail string) *huma.ErrorModel {
	return &huma.ErrorModel{Type: problemType + kind, Title: http.StatusText(status), Status: status, Detail: detail}
}

// WriteProblem answers with a problem as the service's own are.
func WriteProblem(w http.ResponseWriter, status int, kind, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(newProblem(status, kind, detail)) // fails only if the client has gone
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
