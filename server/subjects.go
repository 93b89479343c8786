package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/coatcheck/coatcheck"
)

// sessionInfo is what is known of a session besides its value, which its holder
// alone is shown.
type sessionInfo struct {
	ID        string           `json:"id"`
	Rev       uint64           `json:"rev"`
	Subject   string           `json:"subject" doc:"Empty if there is none."`
	CreatedAt time.Time        `json:"created_at"`
	RenewedAt time.Time        `json:"renewed_at" doc:"When its token was issued."`
	LastSeen  time.Time        `json:"last_seen" doc:"The last use that is known: exact to a tenth of the idle timeout."`
	ExpiresAt *time.Time       `json:"expires_at" doc:"When the session ends unless it is used; null for never."`
	Client    coatcheck.Client `json:"client" doc:"As it was given with POST /v1/sessions; empty texts if it was not."`
}

func newSessionInfo(i coatcheck.Info) sessionInfo {
	return sessionInfo{
		ID: i.ID, Rev: i.Rev, Subject: i.Subject, Client: i.Client,
		CreatedAt: i.CreatedAt, RenewedAt: i.RenewedAt, LastSeen: i.LastSeen, ExpiresAt: orNull(i.ExpiresAt),
	}
}

const subjects = "/v1/subjects/"

// keepEscapes has the mux match the path of a subject as it was sent, so that its
// handler is given the subject percent-encoded. The mux would take a subject that
// is a slash for the end of the path.
func keepEscapes(r *http.Request) {
	// If its beginning is escaped, too, it matches nothing then: the mux would unescape
	// the subject, and its handler would do so once more.
	if path := r.URL.EscapedPath(); strings.HasPrefix(path, subjects) || strings.HasPrefix(r.URL.Path, subjects) {
		u := *r.URL
		u.Path, u.RawPath = path, ""
		r.URL = &u
	}
}

// unescaped returns a subject as it was before it became part of a path, which
// has been parsed.
func unescaped(subject string) string {
	text, _ := url.PathUnescape(subject)
	return text
}

type subjectInput struct {
	Subject string `path:"subject" doc:"Percent-encoded, slashes too: at most 255 bytes of UTF-8."`
}

type idInput struct {
	ID string `path:"id" pattern:"^[A-Za-z0-9_-]{22}$" doc:"Public name of the session, not its token."`
}

type listOutput struct {
	Body struct {
		Sessions []sessionInfo `json:"sessions" nullable:"false" doc:"The latest first."`
	}
}

type describeOutput struct{ Body sessionInfo }

type revokeAllInput struct {
	Subject    string   `path:"subject" doc:"Percent-encoded, slashes too: at most 255 bytes of UTF-8."`
	Except     []string `query:"except,explode" doc:"IDs of sessions to spare; may be repeated."`
	Everywhere bool     `query:"everywhere" doc:"Answer when no node serves them any more, which takes the bound on staleness at most (--max-staleness)."`
}

type revokeInput struct {
	ID         string `path:"id" pattern:"^[A-Za-z0-9_-]{22}$" doc:"Public name of the session, not its token."`
	Everywhere bool   `query:"everywhere" doc:"Answer when no node serves it any more, which takes the bound on staleness at most (--max-staleness)."`
}

type revokeAllOutput struct {
	Body struct {
		Ended int `json:"ended" doc:"How many sessions were ended."`
	}
}

func (s *service) registerSubjects(api huma.API) {
	const ofSubject, byID = subjects + "{subject}/sessions", "/v1/sessions/{id}"
	list := s.operation(huma.Operation{
		OperationID: "listSessions", Method: http.MethodGet, Path: ofSubject,
		Summary: "List the sessions of a subject", Errors: []int{400, 422, 501},
	}, administrator)
	list.Middlewares = append(list.Middlewares, onlyParameters())
	huma.Register(api, list, s.list)
	revokeAll := s.operation(huma.Operation{
		OperationID: "endSessions", Method: http.MethodDelete, Path: ofSubject,
		Summary:     "End all sessions of a subject, but for those excepted",
		Description: "Also 200 if there are none. After an error some may have been ended: repeat it.",
		Errors:      []int{400, 422, 501},
	}, administrator)
	revokeAll.Middlewares = append(revokeAll.Middlewares, refuseIfMatch, onlyParameters("except", "everywhere"), unhurried)
	huma.Register(api, revokeAll, s.revokeAll)
	describe := s.operation(huma.Operation{
		OperationID: "describeSession", Method: http.MethodGet, Path: byID,
		Summary: "Tell what is known of a session", Description: "Not its value.", Errors: []int{400, 404, 422},
	}, administrator)
	describe.Middlewares = append(describe.Middlewares, onlyParameters())
	huma.Register(api, describe, s.describe)
	revoke := s.operation(huma.Operation{
		OperationID: "endSession", Method: http.MethodDelete, Path: byID, DefaultStatus: http.StatusNoContent,
		Summary: "End a session by its ID", Description: "Also 204 if there is none any more.",
		Errors: []int{400, 422},
	}, administrator)
	revoke.Middlewares = append(revoke.Middlewares, refuseIfMatch, onlyParameters("everywhere"), unhurried)
	huma.Register(api, revoke, s.revoke)
}

func (s *service) list(ctx context.Context, in *subjectInput) (*listOutput, error) {
	all, err := s.Manager.Sessions(ctx, unescaped(in.Subject))
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &listOutput{}
	out.Body.Sessions = make([]sessionInfo, len(all))
	for i := range all {
		out.Body.Sessions[i] = newSessionInfo(all[i])
	}
	return out, nil
}

var idForm = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)

func (s *service) revokeAll(ctx context.Context, in *revokeAllInput) (*revokeAllOutput, error) {
	for _, id := range in.Except {
		if !idForm.MatchString(id) { // it would spare nothing; not repeated: it may be a token
			return nil, newProblem(http.StatusUnprocessableEntity, "request", "the parameter except is no ID of a session: those have 22 characters of A-Z, a-z, 0-9, - and _")
		}
	}
	opts := append(everywhere(in.Everywhere), coatcheck.Except(in.Except...))
	ended, err := s.Manager.RevokeAll(ctx, unescaped(in.Subject), opts...)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &revokeAllOutput{}
	out.Body.Ended = ended
	return out, nil
}

func (s *service) describe(ctx context.Context, in *idInput) (*describeOutput, error) {
	info, err := s.Manager.Describe(ctx, in.ID)
	switch {
	case errors.Is(err, coatcheck.ErrNotFound):
		return nil, newProblem(http.StatusNotFound, "session", "there is no session of this ID: it has expired or was ended, or there never was one")
	case err != nil:
		return nil, s.problem(ctx, err)
	}
	return &describeOutput{newSessionInfo(info)}, nil
}

func (s *service) revoke(ctx context.Context, in *revokeInput) (*struct{}, error) {
	if err := s.Manager.Revoke(ctx, in.ID, everywhere(in.Everywhere)...); err != nil {
		return nil, s.problem(ctx, err)
	}
	return nil, nil
}

func everywhere(asked bool) []coatcheck.RevokeOption {
	if asked {
		return []coatcheck.RevokeOption{coatcheck.Everywhere()}
	}
	return nil
}
