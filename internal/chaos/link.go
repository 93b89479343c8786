package chaos

import (
	"net"
	"sync"
	"sync/atomic"
)

// link is one connection through a Proxy: two lanes.
type link struct {
	client, server    *net.TCPConn
	requests, replies lane
	over              chan struct{} // is closed by cut
	once              sync.Once
}

func newLink(client, server *net.TCPConn) *link {
	return &link{
		client: client, server: server, over: make(chan struct{}),
		requests: lane{from: client, to: server},
		replies:  lane{from: server, to: client},
	}
}

// lanes returns those that are asked for.
func (l *link) lanes(replies, requests bool) (lanes []*lane) {
	if replies {
		lanes = append(lanes, &l.replies)
	}
	if requests {
		lanes = append(lanes, &l.requests)
	}
	return lanes
}

// cut ends the connection on both sides, by RST or by FIN.
func (l *link) cut(reset bool) {
	l.once.Do(func() {
		close(l.over)
		for _, conn := range []*net.TCPConn{l.client, l.server} {
			if reset {
				_ = conn.SetLinger(0)
			}
			_ = conn.Close() // whatever it says, it is over
		}
	})
}

func (l *link) isOver() bool {
	select {
	case <-l.over:
		return true
	default:
		return false
	}
}

// lane is one direction of a link.
type lane struct {
	from, to *net.TCPConn
	swallow  atomic.Bool

	mu      sync.Mutex
	stalled chan struct{} // nil: it is not; closed when it goes on
}

func (l *lane) stall() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stalled = make(chan struct{})
}

func (l *lane) resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.stalled)
	l.stalled = nil
}

// forward copies until either end is closed, which ends the link.
func (l *lane) forward(link *link) {
	defer link.cut(false)
	buffer := make([]byte, proxyBufferBytes)
	for {
		n, err := l.from.Read(buffer)
		if !l.passable(link) {
			return
		}
		if n > 0 && !l.swallow.Load() {
			if _, err := l.to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// passable waits while the lane is stalled, and reports whether the link is
// still there.
func (l *lane) passable(link *link) bool {
	l.mu.Lock()
	stalled := l.stalled
	l.mu.Unlock()
	if stalled == nil {
		return true
	}
	select {
	case <-stalled:
		return true
	case <-link.over:
		return false
	}
}
