package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/coatcheck/coatcheck"
)

const (
	keyHeader    = "X-API-Key"
	bearerScheme = "token"
	keyScheme    = "apiKey"
	adminScheme  = "adminKey"
	keyChallenge = `ApiKey realm="coatcheck"`

	// minKeyLen keeps out keys that somebody thought up: 32 characters of hex
	// are 128 bits.
	minKeyLen = 32
)

// APIKeys are keys that open the service, kept as hashes.
type APIKeys [][sha256.Size]byte

// ParseAPIKeys reads keys of 32 characters or more, one a line. Empty lines
// and those that begin with # do not count. The error, which wraps
// [coatcheck.ErrInvalid], names a line but never repeats it.
func ParseAPIKeys(text string) (APIKeys, error) {
	var keys APIKeys
	line := 0
	text = strings.TrimPrefix(text, "\ufeff") // some editors begin a file with it
	for key := range strings.Lines(text) {
		line++
		key = strings.TrimSpace(key)
		if key == "" || strings.HasPrefix(key, "#") {
			continue
		}
		if len(key) < minKeyLen {
			return nil, fmt.Errorf("%w: the API key in line %d has %d characters, at least %d are needed: make one with openssl rand -hex 32",
				coatcheck.ErrInvalid, line, len(key), minKeyLen)
		}
		if strings.ContainsAny(key, " \t") {
			return nil, fmt.Errorf("%w: the API key in line %d contains a space; a comment must be a line of its own", coatcheck.ErrInvalid, line)
		}
		keys = append(keys, sha256.Sum256([]byte(key)))
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: there is no API key: make one with openssl rand -hex 32", coatcheck.ErrInvalid)
	}
	return keys, nil
}

// contain takes the same time whether and which key matches.
func (k APIKeys) contain(key string) bool {
	hash := sha256.Sum256([]byte(key))
	found := 0
	for i := range k {
		found |= subtle.ConstantTimeCompare(hash[:], k[i][:])
	}
	return found == 1
}

// meet reports whether a key is in both.
func (k APIKeys) meet(others APIKeys) bool {
	return slices.ContainsFunc(k, func(key [sha256.Size]byte) bool { return slices.Contains(others, key) })
}

// access is who may call an operation.
type access int

const (
	anybody       access = iota // who has the API key
	holder                      // of a token, who has the API key, too
	administrator               // who has an admin key
)

// operation completes what all operations on sessions have in common.
func (s *service) operation(op huma.Operation, who access) huma.Operation {
	op.Tags = []string{"sessions"}
	op.Errors = append(op.Errors, http.StatusServiceUnavailable)
	op.MaxBodyBytes = int64(s.MaxValueBytes) + bodyAllowance
	security := map[string][]string{}
	switch {
	case who == administrator:
		security[adminScheme] = []string{}
		op.Tags = []string{"admin"}
		op.Errors = append(op.Errors, http.StatusForbidden)
		op.Middlewares = append(op.Middlewares, s.requireAdminKey)
	case len(s.APIKeys) > 0:
		security[keyScheme] = []string{}
		op.Middlewares = append(op.Middlewares, s.requireKey)
	}
	if who == holder {
		security[bearerScheme] = []string{}
		op.Middlewares = append(op.Middlewares, requireToken)
	}
	if len(security) > 0 {
		op.Security = []map[string][]string{security}
		op.Errors = append(op.Errors, http.StatusUnauthorized)
	}
	return op
}

func (s *service) requireKey(ctx huma.Context, next func(huma.Context)) {
	if !s.APIKeys.contain(ctx.Header(keyHeader)) {
		ctx.SetHeader("WWW-Authenticate", keyChallenge)
		refuse(ctx, http.StatusUnauthorized, "api-key", "the header "+keyHeader+" is missing or wrong")
		return
	}
	next(ctx)
}

type tokenKey struct{}

// tokenOf returns the token of a request that has passed requireToken.
func tokenOf(ctx context.Context) coatcheck.Token {
	token, _ := ctx.Value(tokenKey{}).(coatcheck.Token)
	return token
}

func requireToken(ctx huma.Context, next func(huma.Context)) {
	scheme, text, _ := strings.Cut(ctx.Header("Authorization"), " ")
	token := coatcheck.Token(strings.Trim(text, " "))
	wrong := ""
	switch {
	case scheme == "":
		wrong = "the header Authorization is missing: send Authorization: Bearer and the token"
	case !strings.EqualFold(scheme, "Bearer"):
		wrong = "the header Authorization has another scheme than Bearer"
	case token.ID() == "":
		wrong = "the header Authorization does not hold a token: those have 44 characters of A-Z, a-z, 0-9, - and _"
	}
	if wrong != "" {
		ctx.SetHeader("WWW-Authenticate", `Bearer realm="coatcheck"`)
		refuse(ctx, http.StatusUnauthorized, "token", wrong)
		return
	}
	next(huma.WithValue(ctx, tokenKey{}, token))
}

// requireJSON refuses bodies that are stated to be anything else, such as the
// forms that curl -d sends unless it is told.
func requireJSON(ctx huma.Context, next func(huma.Context)) {
	if got := ctx.Header("Content-Type"); got != "" && got != "application/json" {
		refuse(ctx, http.StatusUnsupportedMediaType, "content-type", "Content-Type must be application/json")
		return
	}
	next(ctx)
}

// requireMergePatch demands to be told, so that nobody patches who meant to
// replace.
func requireMergePatch(ctx huma.Context, next func(huma.Context)) {
	const want = "application/merge-patch+json"
	if ctx.Header("Content-Type") != want {
		ctx.SetHeader("Accept-Patch", want)
		refuse(ctx, http.StatusUnsupportedMediaType, "content-type", "Content-Type must be "+want)
		return
	}
	next(ctx)
}

// refuseIfMatch is for calls that would go ahead whatever the condition says.
func refuseIfMatch(ctx huma.Context, next func(huma.Context)) {
	if ctx.Header("If-Match") != "" {
		refuse(ctx, http.StatusBadRequest, "request", "If-Match is not supported by this call, only by PUT and PATCH of /v1/session")
		return
	}
	next(ctx)
}

func refuse(ctx huma.Context, status int, kind, detail string) {
	_, w := humago.Unwrap(ctx)
	WriteProblem(w, status, kind, detail)
}
