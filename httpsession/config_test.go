package httpsession_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
)

type httpConfig = httpsession.Config

func TestConfigFaults(t *testing.T) {
	const none = http.SameSiteNoneMode
	m := newSite(t, setup{}).manager
	for name, test := range map[string]struct {
		config httpConfig
		says   []string
	}{
		"transport":                  {httpConfig{Transport: 4}, []string{"Transport is 4", "Cookie|Bearer"}},
		"transport and more":         {httpConfig{Transport: both | 8}, []string{"Transport is 11", "Cookie|Bearer"}},
		"negative transport":         {httpConfig{Transport: -1}, []string{"Transport is -1", "Cookie|Bearer"}},
		"cookie name":                {httpConfig{CookieName: "my session"}, []string{"cookie", "Name"}},
		"cookie name with separator": {httpConfig{CookieName: "a=b"}, []string{"cookie", "Name"}},
		"domain":                     {httpConfig{Domain: "exa mple.com"}, []string{"cookie", "Domain"}},
		"path with semicolon":        {httpConfig{Path: "/a;b"}, []string{"cookie", "Path"}},
		"path without slash":         {httpConfig{Path: "app"}, []string{`Path "app"`, "begin with /"}},
		"host prefix, domain":        {httpConfig{CookieName: "__Host-a", Domain: "example.com"}, []string{"__Host-a", "example.com", "leave Domain out", "__Secure-session"}},
		"host prefix, path":          {httpConfig{CookieName: "__Host-a", Path: "/app"}, []string{"__Host-a", "/app", "leave Path out", "__Secure-session"}},
		"host prefix, insecure":      {httpConfig{CookieName: "__Host-a", InsecureCookie: true}, []string{"__Host-a", "InsecureCookie", "leave CookieName out"}},
		"secure prefix, insecure":    {httpConfig{CookieName: "__Secure-a", InsecureCookie: true}, []string{"__Secure-a", "InsecureCookie", "leave CookieName out"}},
		"prefixes in other letters":  {httpConfig{CookieName: "__hOST-a", Domain: "example.com"}, []string{"leave Domain out"}},
		"likewise, path":             {httpConfig{CookieName: "__HOST-a", Path: "/app"}, []string{"leave Path out"}},
		"likewise, insecure":         {httpConfig{CookieName: "__host-a", InsecureCookie: true}, []string{"leave CookieName out"}},
		"likewise, secure prefix":    {httpConfig{CookieName: "__sEcUrE-a", InsecureCookie: true}, []string{"leave CookieName out"}},
		"SameSite None, insecure":    {httpConfig{SameSite: none, InsecureCookie: true}, []string{"SameSite None with InsecureCookie"}},
		"SameSite unknown":           {httpConfig{SameSite: 9}, []string{"SameSite is 9", "SameSiteLaxMode", "SameSiteNoneMode"}},
		"SameSite left to browsers":  {httpConfig{SameSite: http.SameSiteDefaultMode}, []string{"SameSite is 1", "SameSiteLaxMode"}},
		"partitioned, lax":           {httpConfig{Partitioned: true}, []string{"Partitioned without SameSite None"}},
		"partitioned, strict":        {httpConfig{Partitioned: true, SameSite: http.SameSiteStrictMode}, []string{"Partitioned without SameSite None"}},
		"token header":               {httpConfig{TokenHeader: "X Auth"}, []string{`TokenHeader "X Auth"`}},
		"token header with colon":    {httpConfig{TokenHeader: "X-Auth:"}, []string{"TokenHeader"}},
		"token header beyond ASCII":  {httpConfig{TokenHeader: "X-Aüth"}, []string{"TokenHeader"}},
		"negative timeout":           {httpConfig{SaveTimeout: -time.Second}, []string{"SaveTimeout is -1s", "must be positive", "5s"}},
		"proxy header":               {httpConfig{ProxyHeader: "X Real"}, []string{`ProxyHeader "X Real"`}},
		"no prefix":                  {httpConfig{RecordAddress: true, TrustedProxies: make([]netip.Prefix, 1)}, []string{"TrustedProxies: invalid Prefix", "MustParsePrefix"}},
		"prefix that matches none":   {httpConfig{RecordAddress: true, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}}, []string{"::ffff:10.0.0.0/104", "as IPv4"}},
		"proxies to no purpose":      {httpConfig{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, []string{"TrustedProxies without RecordAddress"}},
		"two":                        {httpConfig{Partitioned: true, SameSite: none, InsecureCookie: true}, []string{"partitioned", "Secure", "SameSite None with InsecureCookie"}},
		"all at once": {httpConfig{Transport: 4, CookieName: "__Host-a", Domain: "example.com", Path: "app", Partitioned: true, TokenHeader: ":", SaveTimeout: -1},
			[]string{"Transport", "leave Domain out", "leave Path out", "begin with /", "Partitioned", "TokenHeader", "SaveTimeout"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := httpsession.New(m, test.config)
			wantErr(t, "New", err, coatcheck.ErrInvalid)
			if got != nil {
				t.Error("New returned a middleware as well")
			}
			if err == nil {
				return
			}
			if !strings.HasPrefix(err.Error(), "httpsession: configuration: ") {
				t.Errorf("%q does not begin with where", err)
			}
			for _, says := range test.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%q does not say %q", err, says)
				}
			}
			if want := map[string]int{"two": 2, "all at once": 7}[name]; strings.Count(err.Error(), "\n") != max(1, want) {
				t.Errorf("%q names more faults than there are, or fewer", err)
			}
		})
	}
}

func TestConfigWithoutManager(t *testing.T) {
	_, err := httpsession.New[profile](nil, httpConfig{})
	wantErr(t, "New", err, coatcheck.ErrInvalid)
	if err != nil && !strings.Contains(err.Error(), "coatcheck.New") {
		t.Errorf("%q does not say what to do", err)
	}
}

// What looks odd and is right.
func TestConfigThatIsAccepted(t *testing.T) {
	const none = http.SameSiteNoneMode
	m := newSite(t, setup{}).manager
	for name, config := range map[string]httpConfig{
		"host prefix in other letters": {CookieName: "__hOst-a"},
		"secure prefix, domain, path":  {CookieName: "__Secure-a", Domain: "example.com", Path: "/app"},
		"name that is all characters":  {CookieName: "!#$%&'*+-.^_`|~09azAZ"},
		"header that is all":           {TokenHeader: "!#$%&'*+-.^_`|~09azAZ"},
		"SameSite None":                {SameSite: none},
		"partitioned":                  {SameSite: none, Partitioned: true},
		"insecure, domain and path":    {InsecureCookie: true, Domain: "example.com", Path: "/app"},
		"both transports":              {Transport: both},
		"short timeout":                {SaveTimeout: 1},
	} {
		if _, err := httpsession.New(m, config); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDefaultCookieNames(t *testing.T) {
	for name, test := range map[string]struct {
		config httpConfig
		want   string
	}{
		"default":                {httpConfig{}, "__Host-session"},
		"path that is the same":  {httpConfig{Path: "/"}, "__Host-session"},
		"domain":                 {httpConfig{Domain: "example.com"}, "__Secure-session"},
		"path":                   {httpConfig{Path: "/app"}, "__Secure-session"},
		"domain and path":        {httpConfig{Domain: "example.com", Path: "/app"}, "__Secure-session"},
		"insecure":               {httpConfig{InsecureCookie: true}, "session"},
		"insecure, with a path":  {httpConfig{InsecureCookie: true, Path: "/app"}, "session"},
		"insecure, for a domain": {httpConfig{InsecureCookie: true, Domain: "example.com"}, "session"},
		"own":                    {httpConfig{CookieName: "sid", InsecureCookie: true}, "sid"},
	} {
		s := newSite(t, setup{http: test.config})
		reply := s.call(t, func(_ http.ResponseWriter, r *http.Request) { s.rename(t, r, "ada") }, "")
		if got := reply.wantCookie(t).Name; got != test.want {
			t.Errorf("%s: the cookie is %q, want %q", name, got, test.want)
		}
	}
}
