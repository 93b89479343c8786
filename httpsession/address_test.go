package httpsession

import (
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/coatcheck/coatcheck"
)

// proxies are what the tests trust.
var proxies = []string{"10.0.0.0/8", "2001:db8:1::/48", "192.0.2.7/32"}

func addressConfig(t testing.TB, trusted []string, header string) *Config {
	t.Helper()
	c := Config{RecordAddress: true, ProxyHeader: header}
	for _, p := range trusted {
		c.TrustedProxies = append(c.TrustedProxies, netip.MustParsePrefix(p))
	}
	c, err := c.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

func TestAddressOf(t *testing.T) {
	const client, proxy = "203.0.113.9", "10.0.0.1:1234"
	for name, test := range map[string]struct {
		remote string
		lines  []string
		want   string
	}{
		"direct":                        {client + ":4711", nil, client},
		"direct, with a header":         {client + ":4711", []string{"198.51.100.1"}, client},
		"direct, IPv6":                  {"[2001:db8:9::1]:80", []string{"198.51.100.1"}, "2001:db8:9::1"},
		"direct, IPv6 with a zone":      {"[fe80::1%eth0]:80", nil, "fe80::1"},
		"direct, IPv4 in IPv6":          {"[::ffff:203.0.113.9]:80", nil, client},
		"direct, without a port":        {client, nil, client},
		"Unix socket":                   {"@", []string{client}, ""},
		"Unix socket without a name":    {"", []string{client}, ""},
		"no address":                    {"localhost:80", []string{client}, ""},
		"proxy that says nothing":       {proxy, nil, "10.0.0.1"},
		"proxy that says it is nothing": {proxy, []string{""}, "10.0.0.1"},
		"one proxy":                     {proxy, []string{client}, client},
		"proxy by IPv6":                 {"[2001:db8:1::2]:80", []string{client}, client},
		"proxy by IPv4 in IPv6":         {"[::ffff:10.0.0.1]:80", []string{client}, client},
		"proxy by IPv6 with a zone":     {"[2001:db8:1::2%eth0]:80", []string{client}, client},
		"proxy that is one address":     {"192.0.2.7:80", []string{client}, client},
		"the address next to it":        {"192.0.2.8:80", []string{client}, "192.0.2.8"},
		"several proxies":               {proxy, []string{client + ", 10.1.1.1, 2001:db8:1::9"}, client},
		"all of them proxies":           {proxy, []string{"10.3.3.3, 10.2.2.2"}, "10.3.3.3"},
		"several lines":                 {proxy, []string{"198.51.100.1", client + ",10.2.2.2", "10.1.1.1"}, client},
		"made up, to the left":          {proxy, []string{"198.51.100.1, 10.9.9.9, " + client}, client},
		"made up, in a line before":     {proxy, []string{"198.51.100.1", "10.9.9.9", client + ", 10.2.2.2"}, client},
		"made up, a proxy's":            {proxy, []string{"10.9.9.9, " + client}, client},
		"garbage to the left":           {proxy, []string{"<script>, " + client}, client},
		"garbage in between":            {proxy, []string{client + ", unknown, 10.2.2.2"}, "10.2.2.2"},
		"garbage to the right":          {proxy, []string{client + ", unknown"}, "10.0.0.1"},
		"garbage in a line between":     {proxy, []string{client, "_hidden", "10.2.2.2"}, "10.2.2.2"},
		"nothing in between":            {proxy, []string{client + ",,10.2.2.2"}, "10.2.2.2"},
		"nothing to the right":          {proxy, []string{client + ","}, "10.0.0.1"},
		"nothing to the left":           {proxy, []string{"," + client}, client},
		"nothing left of a proxy":       {proxy, []string{client, ",10.2.2.2"}, "10.2.2.2"},
		"a line of nothing":             {proxy, []string{client, "", "10.2.2.2"}, "10.2.2.2"},
		"port":                          {proxy, []string{client + ":4711"}, client},
		"port that is none":             {proxy, []string{client + ":65536"}, "10.0.0.1"},
		"port that is empty":            {proxy, []string{client + ":"}, "10.0.0.1"},
		"IPv6":                          {proxy, []string{"2001:DB8:9:0::1"}, "2001:db8:9::1"},
		"IPv6 in brackets":              {proxy, []string{"[2001:db8:9::1]"}, "2001:db8:9::1"},
		"IPv6 with a port":              {proxy, []string{"[2001:db8:9::1]:4711"}, "2001:db8:9::1"},
		"IPv6 with a zone":              {proxy, []string{"fe80::1%eth0"}, "fe80::1"},
		"IPv6, brackets and zone":       {proxy, []string{"[fe80::1%eth0]:80"}, "fe80::1"},
		"half of the brackets":          {proxy, []string{"[2001:db8:9::1"}, "10.0.0.1"},
		"too many brackets":             {proxy, []string{"[[2001:db8:9::1]]"}, "10.0.0.1"},
		"IPv4 in brackets":              {proxy, []string{"[" + client + "]"}, "10.0.0.1"},
		"IPv4 in IPv6":                  {proxy, []string{"::ffff:203.0.113.9"}, client},
		"IPv4 in IPv6, a proxy's":       {proxy, []string{client + ", ::ffff:10.2.2.2"}, client},
		"white space":                   {proxy, []string{" \t" + client + "\t , 10.2.2.2 "}, client},
		"space within":                  {proxy, []string{"203.0.113. 9"}, "10.0.0.1"},
		"leading zeros":                 {proxy, []string{"203.0.113.009"}, "10.0.0.1"},
		"line break":                    {proxy, []string{"1.2.3.4\r\nSet-Cookie: a=b"}, "10.0.0.1"},
		"in the form of RFC 7239":       {proxy, []string{"for=" + client}, "10.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, header := range []string{"", "x-real-ip"} {
				r := http.Request{RemoteAddr: test.remote, Header: http.Header{}}
				for _, line := range test.lines {
					r.Header.Add(map[string]string{"": "X-Forwarded-For"}[header]+header, line)
				}
				if got := addressFrom(addressConfig(t, proxies, header), &r); got != test.want {
					t.Errorf("header %q: the address is %q, want %q", header, got, test.want)
				}
				// Nobody is trusted by default, whatever he says.
				peer, _ := parseAddress(test.remote)
				if got := addressFrom(addressConfig(t, nil, header), &r); peer.IsValid() && got != peer.String() || !peer.IsValid() && got != "" {
					t.Errorf("header %q: nobody is trusted, and the address is %q", header, got)
				}
			}
		})
	}
}

// Of two headers the one that the proxies write counts: the other comes as the
// client has sent it.
func TestOnlyTheProxysHeaderCounts(t *testing.T) {
	r := http.Request{RemoteAddr: "10.0.0.1:80", Header: http.Header{
		"X-Forwarded-For": {"198.51.100.1"}, "X-Real-Ip": {"203.0.113.9"}, "Forwarded": {"for=192.0.2.60"},
	}}
	for header, want := range map[string]string{"": "198.51.100.1", "X-REAL-IP": "203.0.113.9", "X-Other": "10.0.0.1"} {
		if got := addressFrom(addressConfig(t, proxies, header), &r); got != want {
			t.Errorf("header %q: the address is %q, want %q", header, got, want)
		}
	}
}

// What a caller does to the configuration afterwards has no effect.
func TestTrustedProxiesAreCopied(t *testing.T) {
	mine := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	c, err := Config{RecordAddress: true, TrustedProxies: mine}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	mine[0] = netip.MustParsePrefix("0.0.0.0/0")
	if c.trusts(netip.MustParseAddr("192.0.2.1")) {
		t.Error("the caller's slice is used")
	}
}

func TestClientOfRecordsWhatItShould(t *testing.T) {
	r := http.Request{RemoteAddr: "192.0.2.1:80", Header: http.Header{"User-Agent": {"curl"}}}
	for want, c := range map[coatcheck.Client]Config{
		{}: {}, {Address: "192.0.2.1"}: {RecordAddress: true}, {UserAgent: "curl"}: {RecordUserAgent: true},
		{Address: "192.0.2.1", UserAgent: "curl"}: {RecordAddress: true, RecordUserAgent: true},
	} {
		if got := clientFrom(&c, &r); got != want || c.recordsClient() != (want != coatcheck.Client{}) {
			t.Errorf("%+v, %v; want %+v", got, c.recordsClient(), want)
		}
	}
}

var (
	plainV4 = regexp.MustCompile(`^([0-9.]+)(?::([0-9]+))?$`)
	plainV6 = regexp.MustCompile(`(?s)^([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)(?:%.+)?$`)
	boxedV6 = regexp.MustCompile(`(?s)^\[([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)(?:%.+)?\](?::([0-9]+))?$`)
)

func slowParse(text string) net.IP {
	for _, form := range []*regexp.Regexp{plainV4, plainV6, boxedV6} {
		match := form.FindStringSubmatch(text)
		if match == nil {
			continue
		}
		if len(match) > 2 && match[2] != "" {
			if _, err := strconv.ParseUint(match[2], 10, 16); err != nil {
				return nil
			}
		}
		return net.ParseIP(match[1])
	}
	return nil
}

// slowAddressOf is what addressOf is to find: from the right of one long list.
func slowAddressOf(remote string, lines []string, trusted []string) string {
	chain := strings.Split(strings.Join(lines, ","), ",")
	for i := range chain {
		chain[i] = strings.Trim(chain[i], " \t\r\n")
	}
	chain = append(chain, remote)
	found := ""
	for i := len(chain) - 1; i >= 0; i-- {
		ip := slowParse(chain[i])
		if ip == nil {
			break
		}
		found = ip.String()
		known := false
		for _, p := range trusted {
			_, network, err := net.ParseCIDR(p)
			known = known || err == nil && network.Contains(ip)
		}
		if !known {
			break
		}
	}
	return found
}

func FuzzAddressOf(f *testing.F) {
	for _, seed := range [][4]string{
		{"", "", "", ""},
		{"203.0.113.9:80", "198.51.100.1", "", ""},
		{"10.0.0.1:80", "198.51.100.1, 203.0.113.9", "10.2.2.2", "10.3.3.3,10.4.4.4"},
		{"10.0.0.1:80", "[2001:db8:9::1]:80", ",", "2001:db8:1::1 , [2001:db8:1::2%a]"},
		{"[::ffff:10.0.0.1%eth0]:80", "1.2.3.4", "", "::ffff:10.1.1.1"},
		{"@", "1.2.3.4", "10.0.0.1:", "10.0.0.1:65536"},
		{"10.0.0.1", "[10.0.0.1]", "[10.0.0.1]:80", "10.0.0.1:080"},
		{"10.0.0.1", "unknown", "[::1", "::1]"},
		{" 10.0.0.1", "1.2.3.4", "\t10.0.0.1\n", "\u00a010.0.0.1"},
		{"192.0.2.7:1", "fe80::1%25eth0", "[fe80::1%a]:80]", "[fe80::1%a]:80]:90"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	trusting, trustless := addressConfig(f, proxies, ""), addressConfig(f, nil, "")
	f.Fuzz(func(t *testing.T, remote, a, b, c string) {
		for _, lines := range [][]string{nil, {a}, {a, b}, {a, b, c}, {c, c}} {
			r := http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": lines}}
			if got, want := addressFrom(trusting, &r), slowAddressOf(remote, lines, proxies); got != want {
				t.Errorf("%q, %q: found %q, want %q", remote, lines, got, want)
			}
			if got, want := addressFrom(trustless, &r), slowAddressOf(remote, nil, nil); got != want {
				t.Errorf("%q, %q, nobody trusted: found %q, want %q", remote, lines, got, want)
			}
		}
	})
}

func addressFrom(c *Config, r *http.Request) string {
	s := c.senderOf(r)
	return c.addressOf(s)
}

func clientFrom(c *Config, r *http.Request) coatcheck.Client {
	s := c.senderOf(r)
	return c.clientOf(s)
}
