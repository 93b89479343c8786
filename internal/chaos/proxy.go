package chaos

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// What a Proxy does to a connection. TCP never loses a part of a stream that
// goes on, and neither does the proxy: what is swallowed is followed by a cut.
const (
	StallReplies    = "stall replies"      // the server's bytes come late
	StallRequests   = "stall requests"     // the client's do
	StallBoth       = "stall both"         // all do
	SwallowReplies  = "half-open replies"  // nothing more comes from the server, then a cut
	SwallowRequests = "half-open requests" // nothing more reaches it
	SwallowBoth     = "half-open both"
	CutByReset      = "cut by reset" // RST
	CutByEnd        = "cut by end"   // FIN
)

const (
	dialTimeout      = time.Second
	proxyBufferBytes = 32 << 10
)

// ProxyFaults is how often a Proxy does what.
type ProxyFaults struct {
	Kinds   []Cards
	Pause   Span // of each connection, between two faults
	Stall   Span // how long
	Swallow Span // how long until the cut
}

// Proxy listens on the loopback interface and forwards to a server, badly.
type Proxy struct {
	target   string
	faults   ProxyFaults
	seed     uint64
	listener *net.TCPListener
	closing  chan struct{}
	running  sync.WaitGroup

	mu     sync.Mutex
	deck   *Deck // for all connections: some are short
	counts map[string]int
}

// StartProxy forwards to the target, a host:port. What it does is chosen by
// the seed.
func StartProxy(target string, faults ProxyFaults, seed uint64) (*Proxy, error) {
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("chaos: proxy: %w", err)
	}
	p := &Proxy{
		target: target, faults: faults, seed: seed, listener: listener,
		closing: make(chan struct{}), counts: map[string]int{},
		deck: NewDeck(rand.New(rand.NewPCG(seed, math.MaxUint64)), faults.Kinds...),
	}
	p.running.Go(p.accept)
	return p, nil
}

// Addr returns where it listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Counts returns how often it has done what.
func (p *Proxy) Counts() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.counts)
}

// Close cuts all connections.
func (p *Proxy) Close() error {
	close(p.closing)
	err := p.listener.Close()
	p.running.Wait()
	return err
}

func (p *Proxy) count(fault string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[fault]++
}

func (p *Proxy) deal() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.deck.Deal()
}

func (p *Proxy) accept() {
	for number := uint64(0); ; number++ {
		client, err := p.listener.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // the client is gone already
		}
		p.running.Go(func() { p.serve(client, rand.New(rand.NewPCG(p.seed, number))) })
	}
}

// serve forwards one connection until it ends.
func (p *Proxy) serve(client *net.TCPConn, random *rand.Rand) {
	conn, err := net.DialTimeout("tcp", p.target, dialTimeout)
	if err != nil {
		_ = client.SetLinger(0) // as if nobody had listened
		_ = client.Close()
		return
	}
	l := newLink(client, conn.(*net.TCPConn))
	var lanes sync.WaitGroup
	lanes.Go(func() { l.requests.forward(l) })
	lanes.Go(func() { l.replies.forward(l) })
	p.harm(l, random)
	lanes.Wait()
}

// harm lets one fault after the other happen to a connection, until one of
// them or somebody else ends it.
func (p *Proxy) harm(l *link, random *rand.Rand) {
	for p.wait(l, p.faults.Pause.Pick(random)) {
		fault := p.deal()
		switch fault {
		case StallReplies, StallRequests, StallBoth:
			stalled := l.lanes(fault != StallRequests, fault != StallReplies)
			for _, lane := range stalled {
				lane.stall()
			}
			p.count(fault)
			p.wait(l, p.faults.Stall.Pick(random))
			for _, lane := range stalled {
				lane.resume()
			}
		case SwallowReplies, SwallowRequests, SwallowBoth:
			for _, lane := range l.lanes(fault != SwallowRequests, fault != SwallowReplies) {
				lane.swallow.Store(true)
			}
			p.count(fault)
			p.wait(l, p.faults.Swallow.Pick(random))
			l.cut(random.IntN(2) == 0)
		case CutByReset, CutByEnd:
			p.count(fault)
			l.cut(fault == CutByReset)
		}
	}
	l.cut(false)
}

// wait reports whether the connection still stands after so long.
func (p *Proxy) wait(l *link, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return !l.isOver()
	case <-l.over:
		return false
	case <-p.closing:
		return false
	}
}
