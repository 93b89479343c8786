package chaos

import (
	"slices"
	"sync"
)

// office knows all tokens that were issued, and all who should.
type office struct {
	mu     sync.Mutex
	nodes  []*node     // changes only before the run
	tokens [][]Session // by number
}

// join has the node hear of all that is told from now on.
func (o *office) join(n *node) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.nodes = append(o.nodes, n)
}

// issued takes down a session's token.
func (o *office) issued(s Session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for int(s.Number) >= len(o.tokens) {
		o.tokens = append(o.tokens, nil)
	}
	o.tokens[s.Number] = append(o.tokens[s.Number], s)
}

// latest returns the session with the token that was issued last.
func (o *office) latest(number uint32) (latest Session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.tokens[number] {
		if s.Later(latest) {
			latest = s
		}
	}
	return latest
}

// everything returns all sessions with all of their tokens.
func (o *office) everything() []Session {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Concat(o.tokens...)
}

// tell gives an order to all nodes but one, which may be nil.
func (o *office) tell(order Order, except *node) {
	o.mu.Lock()
	nodes := slices.Clone(o.nodes)
	o.mu.Unlock()
	for _, n := range nodes {
		if n != except {
			n.order(order)
		}
	}
}
