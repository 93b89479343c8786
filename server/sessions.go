package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/coatcheck/coatcheck"
)

// RawJSON is the codec of the service's values: JSON as the client sent it,
// without white space.
type RawJSON struct{}

// Encode implements coatcheck.Codec.
func (RawJSON) Encode(value json.RawMessage) ([]byte, error) {
	var compact bytes.Buffer
	err := json.Compact(&compact, value)
	return compact.Bytes(), err
}

// Decode implements coatcheck.Codec.
func (RawJSON) Decode(data []byte) (json.RawMessage, error) {
	if !json.Valid(data) {
		return nil, errors.New("not JSON")
	}
	return bytes.Clone(data), nil
}

// createBody is what POST /v1/sessions takes.
type createBody struct {
	Value   json.RawMessage `json:"value" doc:"Any JSON; it is what the token stands for."`
	Subject string          `json:"subject,omitempty" maxLength:"255" doc:"Who the session belongs to, such as a user's id: at most 255 bytes of UTF-8."`
	Client  *struct {
		Address   string `json:"address,omitempty" doc:"Such as an IP address."`
		UserAgent string `json:"user_agent,omitempty" doc:"What the client says of itself."`
	} `json:"client,omitempty" doc:"What the application knows of its client, for the list of the subject's sessions: of each text the first 255 bytes are kept."`
}

type createInput struct{ Body createBody }

type createOutput struct {
	ETag string `header:"ETag"`
	Body struct {
		Token     string     `json:"token" doc:"44 characters; the only way to the value. It is not shown again."`
		ID        string     `json:"id" doc:"Public name of the session, safe to show and to log."`
		Rev       uint64     `json:"rev"`
		ExpiresAt *time.Time `json:"expires_at" doc:"When the session ends unless it is used; null for never."`
	}
}

// sessionOutput is the answer to all calls that read or change a value.
type sessionOutput struct {
	ETag string `header:"ETag"`
	Body struct {
		ID        string          `json:"id"`
		Rev       uint64          `json:"rev" doc:"Revision of the value: 1 at creation, one more at every change."`
		Value     json.RawMessage `json:"value"`
		Subject   string          `json:"subject" doc:"Empty if there is none."`
		CreatedAt time.Time       `json:"created_at"`
		ExpiresAt *time.Time      `json:"expires_at" doc:"When the session ends unless it is used; null for never."`
	}
}

func newCreateOutput(token coatcheck.Token, info coatcheck.Info) *createOutput {
	out := &createOutput{ETag: etag(info.Rev)}
	out.Body.Token = string(token) // to its holder
	out.Body.ID, out.Body.Rev, out.Body.ExpiresAt = info.ID, info.Rev, orNull(info.ExpiresAt)
	return out
}

func newSessionOutput(info coatcheck.Info, value json.RawMessage) *sessionOutput {
	out := &sessionOutput{ETag: etag(info.Rev)}
	out.Body.ID, out.Body.Rev, out.Body.Value, out.Body.Subject = info.ID, info.Rev, value, info.Subject
	out.Body.CreatedAt, out.Body.ExpiresAt = info.CreatedAt, orNull(info.ExpiresAt)
	return out
}

func etag(rev uint64) string { return strconv.Quote(strconv.FormatUint(rev, 10)) }

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

type putInput struct {
	IfMatch string `header:"If-Match" doc:"Only if the value is at this revision, as in ETag."`
	Body    struct {
		Value json.RawMessage `json:"value"`
	}
}

type patchInput struct {
	IfMatch string          `header:"If-Match" doc:"Only if the value is at this revision, as in ETag."`
	Body    json.RawMessage `contentType:"application/merge-patch+json"`
}

type refreshOutput struct {
	Body struct {
		ExpiresAt *time.Time `json:"expires_at" doc:"When the session ends unless it is used; null for never."`
	}
}

func (s *service) registerSessions(api huma.API) {
	create := s.operation(huma.Operation{
		OperationID: "create", Method: http.MethodPost, Path: "/v1/sessions", DefaultStatus: http.StatusCreated,
		Summary: "Hand over a value, get a token", Errors: []int{400, 403, 413, 415, 422},
	}, anybody)
	create.Middlewares = append(create.Middlewares, refuseIfMatch, requireJSON)
	huma.Register(api, create, s.create)
	huma.Register(api, s.operation(huma.Operation{
		OperationID: "get", Method: http.MethodGet, Path: "/v1/session",
		Summary: "Show the token, get the value back", Errors: []int{404},
	}, holder), s.get)
	put := s.operation(huma.Operation{
		OperationID: "put", Method: http.MethodPut, Path: "/v1/session",
		Summary: "Replace the value", Errors: []int{400, 404, 409, 412, 413, 415, 422},
	}, holder)
	put.Middlewares = append(put.Middlewares, requireJSON)
	huma.Register(api, put, s.put)
	patch := s.operation(huma.Operation{
		OperationID: "patch", Method: http.MethodPatch, Path: "/v1/session",
		Summary: "Change parts of the value, atomically", Description: "A JSON Merge Patch (RFC 7396).",
		Errors: []int{400, 404, 409, 412, 413, 415},
	}, holder)
	patch.Middlewares = append(patch.Middlewares, requireMergePatch)
	huma.Register(api, patch, s.patch)
	refresh := s.operation(huma.Operation{
		OperationID: "refresh", Method: http.MethodPost, Path: "/v1/session/refresh",
		Summary: "Extend the idle deadline", Errors: []int{400, 404},
	}, holder)
	refresh.Middlewares = append(refresh.Middlewares, refuseIfMatch)
	huma.Register(api, refresh, s.refresh)
	end := s.operation(huma.Operation{
		OperationID: "delete", Method: http.MethodDelete, Path: "/v1/session", DefaultStatus: http.StatusNoContent,
		Summary: "End the session", Description: "Also 204 if there is none any more.",
		Errors: []int{400},
	}, holder)
	end.Middlewares = append(end.Middlewares, refuseIfMatch)
	huma.Register(api, end, s.delete)
}

func (s *service) create(ctx context.Context, in *createInput) (*createOutput, error) {
	var info coatcheck.Info
	opts := []coatcheck.GenerateOption{coatcheck.WithInfo(&info)}
	if in.Body.Subject != "" {
		opts = append(opts, coatcheck.ForSubject(in.Body.Subject))
	}
	if c := in.Body.Client; c != nil {
		ctx = context.WithValue(ctx, coatcheck.ClientContextKey, coatcheck.Client{Address: c.Address, UserAgent: c.UserAgent})
	}
	token, err := s.Manager.Generate(ctx, in.Body.Value, opts...)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return newCreateOutput(token, info), nil
}

func (s *service) get(ctx context.Context, _ *struct{}) (*sessionOutput, error) {
	value, info, err := s.Manager.Lookup(ctx, tokenOf(ctx))
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return newSessionOutput(info, value), nil
}

func (s *service) put(ctx context.Context, in *putInput) (*sessionOutput, error) {
	return s.change(ctx, in.IfMatch, func(json.RawMessage) (json.RawMessage, error) { return in.Body.Value, nil })
}

func (s *service) patch(ctx context.Context, in *patchInput) (*sessionOutput, error) {
	return s.change(ctx, in.IfMatch, func(value json.RawMessage) (json.RawMessage, error) {
		return mergePatch(value, in.Body)
	})
}

// change applies fn to the value under the condition of an If-Match header.
func (s *service) change(ctx context.Context, ifMatch string, fn func(json.RawMessage) (json.RawMessage, error)) (*sessionOutput, error) {
	condition, err := parseIfMatch(ifMatch)
	if err != nil {
		return nil, newProblem(http.StatusBadRequest, "request", err.Error())
	}
	var info coatcheck.Info
	var value json.RawMessage
	opts := []coatcheck.UpdateOption{coatcheck.WithInfo(&info)}
	if !condition.any {
		opts = append(opts, coatcheck.IfRev(condition.revs...))
	}
	err = s.Manager.Change(ctx, tokenOf(ctx), func(v *json.RawMessage) (err error) {
		*v, err = fn(*v)
		value = *v
		return err
	}, opts...)
	var conflict *coatcheck.ConflictError
	if errors.As(err, &conflict) {
		return nil, preconditionFailed(conflict.Rev)
	}
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return newSessionOutput(info, value), nil
}

// preconditionFailed tells the revision that the value is at.
func preconditionFailed(rev uint64) error {
	return huma.ErrorWithHeaders(
		newProblem(http.StatusPreconditionFailed, "precondition", fmt.Sprintf("the value is at revision %d: read it again", rev)),
		http.Header{"ETag": {etag(rev)}})
}

func (s *service) refresh(ctx context.Context, _ *struct{}) (*refreshOutput, error) {
	var info coatcheck.Info
	if err := s.Manager.Refresh(ctx, tokenOf(ctx), coatcheck.WithInfo(&info)); err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &refreshOutput{}
	out.Body.ExpiresAt = orNull(info.ExpiresAt)
	return out, nil
}

func (s *service) delete(ctx context.Context, _ *struct{}) (*struct{}, error) {
	if err := s.Manager.Delete(ctx, tokenOf(ctx)); err != nil {
		return nil, s.problem(ctx, err)
	}
	return nil, nil
}
