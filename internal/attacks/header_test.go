package attacks

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/coatcheck/coatcheck"
)

// Header injection: the attacker sends, in cookies and other headers, what would
// be a header of the answer, or a line of the log, if anybody repeated it.
func TestAttackHeaderInjection(t *testing.T) {
	s := startSite(t, coatcheck.Config[account]{}, nil)
	token := generate(t, s.manager, "private", coatcheck.ForSubject("ada"))
	const evil = "X-Evil: 1"
	for _, value := range []string{
		"%0d%0a" + evil, "a\r " + evil, `"` + evil + `"`, "\x00" + evil, "\u2028" + evil, strings.Repeat("é", 22) + evil,
		string(token) + "; Set-Cookie: " + evil, string(token) + "%0d%0a" + evil, string(token[:43]) + "\v", string(token[:22]) + "\t" + evil,
	} {
		for _, header := range []string{
			"Cookie: " + cookieName + "=" + value,
			"Cookie: " + cookieName + "=" + string(token) + "\r\nUser-Agent: " + value,
			"Cookie: " + value + "=" + string(token),
			"Authorization: Bearer " + value + "\r\nX-Forwarded-For: " + value,
		} {
			for _, request := range []string{
				"GET / HTTP/1.1\r\n", "POST /login?name=eve HTTP/1.1\r\nContent-Length: 0\r\n", "POST /logout HTTP/1.1\r\nContent-Length: 0\r\n",
			} {
				conn, err := net.Dial("tcp", s.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(conn, "%sHost: localhost\r\nConnection: close\r\n%s\r\n\r\n", request, header)
				response, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatalf("%q: %v", header, err)
				}
				for name, values := range response.Header {
					all := name + strings.Join(values, "\n")
					if strings.Contains(all, "Evil") || strings.ContainsAny(all, "\r\n\x00") {
						t.Errorf("%q came back as %s: %q", header, name, values)
					}
				}
				_ = response.Body.Close()
				_ = conn.Close()
			}
		}
	}
	for line := range strings.Lines(s.log.String()) {
		if strings.HasPrefix(line, "X-Evil") || !strings.HasPrefix(line, "time=") {
			t.Errorf("a line of the log that is not ours: %q", line)
		}
	}
}
