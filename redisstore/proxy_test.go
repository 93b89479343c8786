package redisstore_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/coatcheck/coatcheck/internal/redistest"
)

// proxy stands between a store and its server, and decides about each command.
// It has at most one command under way, so that what it has not delivered has
// had no effect, and what it has delivered has been answered. (It takes no
// subscriptions, whose answers are reports.)
type proxy struct {
	t      testing.TB
	server string
	l      net.Listener
	wg     sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
	dead  bool
	rule  rule
	trips []int // sizes of the batches to wait for; any further command is one of its own
	n     int   // commands since the rule was set
	trip  int   // batches likewise
}

// rule decides about the nth command since it was set, from 1 on.
type rule func(n int, command []string) verdict

type verdict int

const (
	deliver   verdict = iota
	cutBefore         // everything is cut, and the command not delivered
	cutAfter          // it is delivered, but its answer is lost
	refuse            // the server answers with an error
)

func newProxy(t testing.TB, server *redistest.Server) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, server: server.Addr, l: l}
	p.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(conn) })
		}
	})
	t.Cleanup(func() {
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) URL() string { return "redis://" + p.l.Addr().String() }

// decide has the rule decide about all commands from now on.
func (p *proxy) decide(r rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rule, p.n = r, 0
}

// gather holds back the commands until so many have come, of each batch in turn:
// a client that waits for an answer before it sends them all waits for ever.
func (p *proxy) gather(sizes ...int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trips, p.trip, p.n = sizes, 0, 0
}

// counted returns the number of commands, and of batches.
func (p *proxy) counted() (commands, trips int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n, p.trip
}

// cut ends all connections, and takes no more.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
	p.l.Close()
	for _, conn := range p.conns {
		conn.Close()
	}
}

// hold notes a connection, and reports whether it may be used.
func (p *proxy) hold(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, conn)
	return !p.dead
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	if !p.hold(client) {
		return
	}
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.hold(server) {
		return
	}
	fromClient, fromServer := bufio.NewReader(client), bufio.NewReader(server)
	for {
		first, err := readValue(fromClient, nil)
		if err != nil {
			return
		}
		batch := []value{first}
		for missing := p.batchSize() - 1; missing > 0; missing-- {
			next, err := readValue(fromClient, nil)
			if err != nil {
				return
			}
			batch = append(batch, next)
		}
		var answers []byte
		for _, command := range batch {
			answer, ok := p.pass(command, server, fromServer)
			if !ok {
				p.cut()
				return
			}
			answers = append(answers, answer...)
		}
		if _, err := client.Write(answers); err != nil {
			return
		}
	}
}

// batchSize is how many commands belong to the batch that begins.
func (p *proxy) batchSize() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trip++
	if p.trip <= len(p.trips) {
		return p.trips[p.trip-1]
	}
	return 1
}

// pass returns what to answer to a command, with the reports that came before.
func (p *proxy) pass(command value, server net.Conn, fromServer *bufio.Reader) (answer []byte, ok bool) {
	p.mu.Lock()
	p.n++
	n, r := p.n, p.rule
	p.mu.Unlock()
	v := deliver
	if r != nil {
		v = r(n, command.words)
	}
	switch v {
	case cutBefore:
		return nil, false
	case refuse:
		return []byte("-OOM command not allowed when used memory > 'maxmemory'.\r\n"), true
	}
	if _, err := server.Write(command.raw); err != nil {
		return nil, false
	}
	for report := true; report; {
		v, err := readValue(fromServer, nil)
		if err != nil {
			return nil, false
		}
		report = v.raw[0] == '>'
		answer = append(answer, v.raw...)
	}
	return answer, v != cutAfter
}

// value is one of the protocol RESP: a command or an answer.
type value struct {
	raw   []byte
	words []string // the texts in it
}

func readValue(r *bufio.Reader, v *value) (value, error) {
	if v == nil {
		v = new(value)
	}
	line, err := r.ReadString('\n')
	if err != nil {
		return *v, err
	}
	v.raw = append(v.raw, line...)
	kind, text := line[0], strings.TrimSpace(line[1:])
	parts := 0
	switch kind {
	case '$', '=', '!':
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return *v, err
		}
		b := make([]byte, n+len("\r\n"))
		if _, err := io.ReadFull(r, b); err != nil {
			return *v, err
		}
		v.raw = append(v.raw, b...)
		v.words = append(v.words, string(b[:n]))
	case '*', '~', '>', '%':
		if parts, err = strconv.Atoi(text); err != nil {
			return *v, fmt.Errorf("%q: %w", line, err)
		}
		if kind == '%' {
			parts *= 2
		}
	}
	for range parts {
		if _, err := readValue(r, v); err != nil {
			return *v, err
		}
	}
	return *v, nil
}
