package server

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/coatcheck/coatcheck"
)

type renewInput struct {
	Body *struct {
		Grace   bool   `json:"grace,omitempty" doc:"Whether the old token works beside the new one for a while (--renew-grace): for renewals that nothing but the age of the token calls for. Not with subject."`
		Subject string `json:"subject,omitempty" minLength:"1" maxLength:"255" doc:"A login: who the session belongs to from now on, at most 255 bytes of UTF-8. It must not be somebody else's."`
	}
}

func (s *service) registerRenew(api huma.API) {
	op := s.operation(huma.Operation{
		OperationID: "renew", Method: http.MethodPost, Path: "/v1/session/renew",
		Summary:     "Replace the token",
		Description: "ID and value stay. Without grace the old token is dead at once: do so whenever the rights of its holder change.",
		Errors:      []int{400, 403, 404, 409, 413, 415, 422},
	}, holder)
	op.Middlewares = append(op.Middlewares, refuseIfMatch, requireJSON)
	huma.Register(api, op, s.renew)
}

func (s *service) renew(ctx context.Context, in *renewInput) (*createOutput, error) {
	var info coatcheck.Info
	opts := []coatcheck.RenewOption{coatcheck.WithInfo(&info)}
	if in.Body != nil {
		if in.Body.Grace && in.Body.Subject != "" {
			// Whoever has planted the old token would be logged in, too.
			return nil, newProblem(http.StatusUnprocessableEntity, "request", "a login has no grace: the old token must end with it; leave out grace, or subject")
		}
		if in.Body.Grace {
			opts = append(opts, coatcheck.WithGrace())
		}
		if in.Body.Subject != "" {
			opts = append(opts, coatcheck.ForSubject(in.Body.Subject))
		}
	}
	token, err := s.Manager.Renew(ctx, tokenOf(ctx), opts...)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return newCreateOutput(token, info), nil
}
