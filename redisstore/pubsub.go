package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
)

// channelName ends the name of the channel on which changes are told.
const channelName = "changes"

// nodeSeparator is between the name of a process and what is random in its name
// in messages, so that two of one name hear of each other.
const nodeSeparator = "/"

// Operations, as messages name them.
const (
	opUpdate = "update"
	opDelete = "delete"
)

// message is what a script publishes of a change: who made it, what, to which
// record, and which revision it reached.
func (s *Store) message(op, id string, rev uint64) string {
	return strings.Join([]string{s.nodeID, op, id, strconv.FormatUint(rev, 10)}, ",")
}

func parseMessage(text string) (c coatcheck.RecordChange, ok bool) {
	fields := strings.Split(text, ",")
	if len(fields) != 4 || len(fields[2]) != idLen || strings.ContainsFunc(text, unfitForMessage) {
		return c, false // not of ours
	}
	rev, err := strconv.ParseUint(fields[3], 10, 64)
	if err != nil || fields[1] != opUpdate && fields[1] != opDelete {
		return c, false
	}
	return coatcheck.RecordChange{Node: fields[0], ID: fields[2], Rev: rev}, true
}

// probePubSub returns an error if this user may not publish and subscribe, or
// the server does not speak RESP3, in which a subscription can be asked how far
// it has come.
func (s *Store) probePubSub(ctx context.Context) error {
	if err := s.client.Do(ctx, s.client.B().Arbitrary("HELLO", "3").Build()).Error(); err != nil {
		return err
	}
	if err := s.client.Do(ctx, s.client.B().Publish().Channel(s.channel).Message("").Build()).Error(); err != nil {
		return err
	}
	for _, node := range s.client.Nodes() {
		sub, err := s.subscribe(ctx, node, func(rueidis.PubSubMessage) {})
		if err != nil {
			return err
		}
		sub.close()
	}
	return nil
}

// pubsubStream is the stream of messages: one subscription to each server, on
// a connection of its own. In a cluster a message also travels from node to
// node, in no particular order; what counts is that each primary tells its own
// subscribers at once.
type pubsubStream struct {
	store *Store
	sink  coatcheck.WatchSink
	subs  map[string]*subscription // by address
}

type subscription struct {
	rueidis.DedicatedClient
	release func()
	ended   <-chan error

	// A key of this server's that nobody deletes but FLUSHALL, of which no message
	// tells, and the random value that it was last seen with.
	marker, mark string
}

func (s *subscription) close() {
	s.DedicatedClient.Close()
	s.release()
}

func (s *Store) subscribe(ctx context.Context, node rueidis.Client, on func(rueidis.PubSubMessage)) (*subscription, error) {
	client, release := node.Dedicate()
	sub := &subscription{DedicatedClient: client, release: release}
	// Called by the reader of the connection, in the order of what comes on it.
	sub.ended = client.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: on})
	if err := client.Do(ctx, client.B().Subscribe().Channel(s.channel).Build()).Error(); err != nil {
		sub.close()
		return nil, err
	}
	return sub, nil
}

func (p *pubsubStream) round(ctx context.Context) error {
	asOf := time.Now() // before the nodes are listed: one that comes later has no earlier reads
	nodes := p.store.client.Nodes()
	complete, err := p.resubscribe(ctx, nodes)
	if err == nil {
		asked := make(map[string]roleAsker, len(p.subs))
		for addr, sub := range p.subs {
			asked[addr] = sub
		}
		var primaries []string
		primaries, err = roles(ctx, asked)
		for _, addr := range primaries {
			emptied, markerErr := p.store.checkMarker(ctx, p.subs[addr])
			complete = complete && !emptied
			err = errors.Join(err, markerErr)
		}
	}
	if p.dropEnded() || !complete {
		p.sink.Lost() // what came before the subscription was complete went unheard, and so does FLUSHALL
		if err == nil {
			err = p.round(ctx) // which may find all in place
		}
		return err
	}
	if err == nil {
		p.sink.CaughtUp(asOf)
	}
	return err
}

// checkMarker reports whether the server may have been emptied since the last
// call.
func (s *Store) checkMarker(ctx context.Context, sub *subscription) (emptied bool, err error) {
	for n := 0; ; n++ {
		if sub.marker == "" {
			sub.marker = fmt.Sprintf("%smarker:%d", s.prefix, n)
		}
		set := sub.B().Set().Key(sub.marker).Value(rand.Text()).Nx().Build()
		results := sub.DoMulti(ctx, set, sub.B().Get().Key(sub.marker).Build())
		mark, err := results[1].ToString()
		if reply, ok := rueidis.IsRedisErr(err); ok {
			if _, moved := reply.IsMoved(); moved && n < maxMarkers { // of another server of the cluster
				sub.marker = ""
				continue
			}
		}
		if err != nil {
			return false, err
		}
		emptied = sub.mark != mark
		sub.mark = mark
		return emptied, nil
	}
}

// maxMarkers is for clusters in which a server has very few slots.
const maxMarkers = 100_000

// resubscribe makes the subscriptions those of the nodes, and reports whether
// they were.
func (p *pubsubStream) resubscribe(ctx context.Context, nodes map[string]rueidis.Client) (complete bool, err error) {
	complete = !p.dropEnded()
	for addr, sub := range p.subs {
		if nodes[addr] == nil {
			sub.close()
			delete(p.subs, addr)
			complete = false
		}
	}
	if p.subs == nil {
		p.subs = make(map[string]*subscription)
	}
	for addr, node := range nodes {
		if p.subs[addr] != nil {
			continue
		}
		complete = false
		sub, err := p.store.subscribe(ctx, node, p.receive)
		if err != nil {
			return complete, fmt.Errorf("subscribe: %w", err)
		}
		p.subs[addr] = sub
	}
	return complete, nil
}

// dropEnded forgets subscriptions whose connection broke, and reports whether
// there were any.
func (p *pubsubStream) dropEnded() (found bool) {
	for addr, sub := range p.subs {
		select {
		case <-sub.ended:
			sub.close()
			delete(p.subs, addr)
			found = true
		default:
		}
	}
	return found
}

func (p *pubsubStream) receive(m rueidis.PubSubMessage) {
	c, ok := parseMessage(m.Message)
	if !ok || c.Node == p.store.nodeID { // own changes were reported as they were made
		return
	}
	if name, _, found := strings.Cut(c.Node, nodeSeparator); found {
		c.Node = name
	}
	p.sink.Changed(c)
}

func (p *pubsubStream) close() {
	for _, sub := range p.subs {
		sub.close()
	}
}
