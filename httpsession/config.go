package httpsession

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/coatcheck/coatcheck"
)

// Transport is how tokens travel. Cookie and Bearer can be combined, by |.
type Transport int

const (
	// Cookie is for browsers.
	Cookie Transport = 1 << iota

	// Bearer is for programs: the token comes in the header Authorization
	// (RFC 6750), and a new one goes out in Config.TokenHeader.
	Bearer
)

// Defaults of [Config].
const (
	DefaultTokenHeader = "X-Auth-Token" // as in Spring Session
	DefaultProxyHeader = "X-Forwarded-For"
	DefaultSaveTimeout = 5 * time.Second
)

const (
	hostPrefix   = "__Host-"
	securePrefix = "__Secure-"
)

// Config configures a [Middleware]. The zero value is safe, and good for most.
type Config struct {
	// Transport is how tokens travel. Default [Cookie]. With both, a request that has
	// Authorization: Bearer is answered in that way, and its cookie is ignored. A
	// program that has no token yet sends an empty one.
	Transport Transport

	// CookieName is the name of the cookie. Default "__Host-session", which
	// browsers accept from this very host over TLS only (RFC 6265bis), and from
	// localhost; where that cannot be, with Domain or Path, "__Secure-session", and
	// with InsecureCookie "session". Cookies know no ports: programs on one host
	// need a name each.
	CookieName string

	// Domain has the browser send the cookie to all hosts of a domain: to be
	// avoided, as each of them can then take over sessions. Default: to this host only.
	Domain string

	// Path has the browser send the cookie below a path only. That is no
	// protection from other paths of the host. Default "/".
	Path string

	// SameSite says which requests that other sites cause carry the cookie.
	// Default [http.SameSiteLaxMode]: only when a user follows a link.
	SameSite http.SameSite

	// Partitioned gives the browser a cookie jar for each site that this one is
	// embedded in (CHIPS). It takes SameSite None.
	Partitioned bool

	// Persistent has the browser keep the cookie when it is closed: until the
	// absolute timeout would end the session, but 400 days at most (RFC 6265bis).
	// Default: it forgets it. For a cookie to be of use for long, IdleTimeout must be
	// long, too.
	Persistent bool

	// InsecureCookie lets the cookie travel without TLS, where anybody on the way
	// can read it and take over the session. Browsers take http://localhost for secure,
	// Safari excepted: nobody else should need this.
	InsecureCookie bool

	// TokenHeader is the header of a response that tells a client without cookies its
	// new token; empty after the end of the session. Default "X-Auth-Token". For pages of
	// other origins it must be in Access-Control-Expose-Headers.
	TokenHeader string

	// RecordAddress has the sessions name the address that they are used from, and
	// RecordUserAgent the program, as it says: see [coatcheck.Client]. For pages on
	// which users recognise their sessions, and for the event ClientChanged.
	// Both are personal data. Default: neither.
	RecordAddress, RecordUserAgent bool

	// TrustedProxies are the addresses of the proxies in front of this server.
	// Where a request comes from one of them, the address of its client is the last
	// in ProxyHeader that is not one of them. Of a header that anybody can send
	// nothing else is believed. Default: none, and so no header is.
	TrustedProxies []netip.Prefix

	// ProxyHeader is where the proxies write the address that they saw: one that
	// each of them appends to, or overwrites. Default "X-Forwarded-For".
	ProxyHeader string

	// ErrorHandler must answer a request whose session could not be saved, and those
	// for which a handler calls [Middleware.Error]. Nothing has been written, and what
	// the handler had said about the body is gone from the headers. The error wraps one of
	// package coatcheck's, which [ErrorStatus] translates.
	//
	// Default: an application/problem+json (RFC 9457) with that status that says no more than
	// it must, [Middleware.Problem]; what is the server's fault is logged.
	ErrorHandler func(w http.ResponseWriter, r *http.Request, err error)

	// SaveTimeout limits the saving of a session, which does not end with the request's
	// context. Default 5 s.
	SaveTimeout time.Duration

	// Logger hears of changes that could not be saved after the response had
	// begun, and of what ErrorHandler logs by default. Default: [slog.Default].
	Logger *slog.Logger
}

// withDefaults returns the configuration with defaults filled in, or an error
// that names all faults at once.
func (c Config) withDefaults() (Config, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if c.Transport == 0 {
		c.Transport = Cookie
	}
	if c.Transport&^(Cookie|Bearer) != 0 {
		fault("Transport is %d: must be Cookie, Bearer or Cookie|Bearer", c.Transport)
	}
	if c.Path == "" {
		c.Path = "/"
	}
	if c.CookieName == "" {
		switch {
		case c.InsecureCookie:
			c.CookieName = "session"
		case c.Domain != "" || c.Path != "/":
			c.CookieName = securePrefix + "session"
		default:
			c.CookieName = hostPrefix + "session"
		}
	}
	if c.SameSite == 0 {
		c.SameSite = http.SameSiteLaxMode
	}
	if c.TokenHeader == "" {
		c.TokenHeader = DefaultTokenHeader
	}
	if c.ProxyHeader == "" {
		c.ProxyHeader = DefaultProxyHeader
	}
	c.ProxyHeader = http.CanonicalHeaderKey(c.ProxyHeader)
	if c.SaveTimeout == 0 {
		c.SaveTimeout = DefaultSaveTimeout
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}

	if err := c.cookie("x", 0).Valid(); err != nil {
		fault("cookie: %w", err)
	}
	// Browsers compare prefixes without regard to case (RFC 6265bis).
	lower := strings.ToLower(c.CookieName)
	host, secure := strings.HasPrefix(lower, strings.ToLower(hostPrefix)), strings.HasPrefix(lower, strings.ToLower(securePrefix))
	if host && c.Domain != "" {
		fault("CookieName %s with Domain %s: browsers refuse that; leave Domain out, or name it %ssession", c.CookieName, c.Domain, securePrefix)
	}
	if host && c.Path != "/" {
		fault("CookieName %s with Path %s: browsers refuse that; leave Path out, or name it %ssession", c.CookieName, c.Path, securePrefix)
	}
	if (host || secure) && c.InsecureCookie {
		fault("CookieName %s with InsecureCookie: browsers refuse that; leave CookieName out", c.CookieName)
	}
	if !strings.HasPrefix(c.Path, "/") {
		fault("Path %q: must begin with /", c.Path)
	}
	switch c.SameSite {
	case http.SameSiteLaxMode, http.SameSiteStrictMode:
		if c.Partitioned {
			fault("Partitioned without SameSite None: the cookie would never be sent where it matters")
		}
	case http.SameSiteNoneMode:
		if c.InsecureCookie {
			fault("SameSite None with InsecureCookie: browsers refuse that")
		}
	default:
		fault("SameSite is %d: must be http.SameSiteLaxMode, SameSiteStrictMode or SameSiteNoneMode", c.SameSite)
	}
	if !isToken(c.TokenHeader) {
		fault("TokenHeader %q: not a valid name of a header", c.TokenHeader)
	}
	if slices.Contains(taken, http.CanonicalHeaderKey(c.TokenHeader)) {
		fault("TokenHeader %q: has another meaning; leave it out for %s", c.TokenHeader, DefaultTokenHeader)
	}
	if !isToken(c.ProxyHeader) {
		fault("ProxyHeader %q: not a valid name of a header", c.ProxyHeader)
	}
	for _, p := range c.TrustedProxies {
		switch {
		case !p.IsValid():
			fault("TrustedProxies: %v: want a prefix such as netip.MustParsePrefix(\"10.0.0.0/8\")", p)
		case p.Addr().Is4In6():
			fault("TrustedProxies: %v would match nothing: write it as IPv4", p)
		}
	}
	c.TrustedProxies = slices.Clone(c.TrustedProxies)
	if len(c.TrustedProxies) > 0 && !c.RecordAddress {
		fault("TrustedProxies without RecordAddress: they serve no other purpose")
	}
	if c.SaveTimeout < 0 {
		fault("SaveTimeout is %v: must be positive, or 0 for %v", c.SaveTimeout, DefaultSaveTimeout)
	}
	if len(faults) > 0 {
		return c, fmt.Errorf("httpsession: configuration: %w:\n%w", coatcheck.ErrInvalid, errors.Join(faults...))
	}
	return c, nil
}

// taken are headers that must not become the TokenHeader.
var taken = []string{
	"Authorization", "Cache-Control", "Connection", "Content-Length", "Content-Type", "Cookie", "Location",
	"Set-Cookie", "Transfer-Encoding", "Vary",
}

// isToken reports whether s can be the name of a header: RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		alphanumeric := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !alphanumeric && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}
