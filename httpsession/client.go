package httpsession

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/coatcheck/coatcheck"
)

func (c *Config) recordsClient() bool { return c.RecordAddress || c.RecordUserAgent }

// sender is what a request said of its client as it came in. The handler may change
// the request later, as by headers that it believes, or while others read them.
type sender struct {
	remote, agent string
	proxies       []string // the lines of ProxyHeader
}

func (c *Config) senderOf(r *http.Request) *sender {
	return &sender{r.RemoteAddr, r.UserAgent(), r.Header[c.ProxyHeader]}
}

// clientOf returns what is to be recorded of who sent a request.
func (c *Config) clientOf(s *sender) (client coatcheck.Client) {
	if c.RecordUserAgent {
		client.UserAgent = s.agent
	}
	if c.RecordAddress {
		client.Address = c.addressOf(s)
	}
	return client
}

// addressOf returns the address of the client: that of the peer, or, if it is a
// trusted proxy, the one that it saw, and so on, as long as these are trusted, too.
func (c *Config) addressOf(s *sender) string {
	address, ok := parseAddress(s.remote)
	if !ok {
		return "" // such as of a Unix socket
	}
	lines := s.proxies
	for i := len(lines) - 1; i >= 0; i-- { // together they are one list: RFC 9110, section 5.3
		for rest, more := lines[i], true; more; {
			if !c.trusts(address) {
				return address.String()
			}
			comma := strings.LastIndexByte(rest, ',')
			before, ok := parseAddress(trim(rest[comma+1:]))
			if !ok { // nothing that is to the left of it can be believed either
				return address.String()
			}
			address, more = before, comma >= 0
			rest = rest[:max(comma, 0)]
		}
	}
	return address.String()
}

func (c *Config) trusts(address netip.Addr) bool {
	for _, p := range c.TrustedProxies {
		if p.Contains(address) {
			return true
		}
	}
	return false
}

// parseAddress takes an address, IPv6 with or without brackets, and with or without
// a port. IPv4 in IPv6 is IPv4, and zones, which mean something on one machine only,
// are left out.
func parseAddress(text string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(text)
	if err != nil {
		var with netip.AddrPort
		if with, err = netip.ParseAddrPort(text); err != nil {
			with, err = netip.ParseAddrPort(text + ":0") // as in [2001:db8::1]
		}
		address = with.Addr()
	}
	return address.Unmap().WithZone(""), err == nil
}
