package compare

import (
	"errors"
	"fmt"
	"sync"

	"github.com/coatcheck/coatcheck/benchmarks/rivals"
)

// player is a subject with a server of its own, if it needs one.
type player struct {
	subject rivals.Subject
	server  *server // nil for subjects of memory
	env     rivals.Env
	app     rivals.App // nil while it is not open
}

// open makes the subject ready for an arena. Its server is empty then.
func (p *player) open(arena Arena) error {
	value, err := rivals.Sample(arena.Value)
	if err != nil {
		return err
	}
	p.env = rivals.Env{Value: value, Parallel: arena.Clients}
	if p.server != nil {
		p.env.Redis = p.server.addr
		if err := p.server.flush(); err != nil {
			return err
		}
	}
	p.app, err = p.subject.Open(p.env)
	if err != nil {
		return fmt.Errorf("opening %s: %w", p.subject.Name, err)
	}
	return nil
}

func (p *player) close() error {
	if p.app == nil {
		return nil
	}
	err := p.app.Close()
	p.app = nil
	return err
}

// forget drops all sessions. What is in memory goes with the App; what is in
// Redis can be dropped without new connections.
func (p *player) forget() error {
	if p.server != nil {
		return p.server.flush()
	}
	if err := p.close(); err != nil {
		return err
	}
	var err error
	p.app, err = p.subject.Open(p.env)
	return err
}

// enter returns the subject as a side that does some work.
func (p *player) enter(w work, clients, logouts int) *side {
	s := &side{name: p.subject.Name, ops: clients, unit: clients}
	if p.server != nil {
		s.commands = p.server.commands
	}
	hands := 1
	if w.ends {
		hands = max(logouts/clients, 1)
		s.ops, s.unit = hands*clients, 0
	}
	c := newCrowd(p.app, clients, hands)
	signedIn := false
	s.before = func() error {
		if signedIn && !w.ends {
			return nil
		}
		signedIn = true
		return c.each(hands*clients, works[Create].does)
	}
	s.play = func(ops int) error { return c.each(ops, w.does) }
	s.after = func() error {
		if !w.adds {
			return nil
		}
		if err := p.forget(); err != nil {
			return err
		}
		c = newCrowd(p.app, clients, hands)
		return nil
	}
	return s
}

// crowd is clients who work at the same time. Each has one hand or more, which
// are clients to the subject, and uses them in turn.
type crowd [][]rivals.Client

func newCrowd(app rivals.App, clients, hands int) crowd {
	c := make(crowd, clients)
	for i := range c {
		for range hands {
			c[i] = append(c[i], app.Client())
		}
	}
	return c
}

// each does ops operations, a multiple of the number of clients.
func (c crowd) each(ops int, do func(client rivals.Client, i int) error) error {
	errs := make([]error, len(c))
	var group sync.WaitGroup
	for at, hands := range c {
		group.Go(func() {
			for i := range ops / len(c) {
				if err := do(hands[i%len(hands)], i); err != nil {
					errs[at] = err
					return
				}
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}
