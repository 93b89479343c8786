package main

import (
	"context"
	"math/rand/v2"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/chaos"
)

// what is to be done with a session.
type what int

const (
	get what = iota
	change
	update
	renew      // at once
	renewIfDue // with grace
	refresh
	remove
)

// choose picks a session and what to do with it. Every other pair of places is
// hardly ever changed, so that what is cached has time to become stale; every
// other place never sees an Update, so that its counter counts its revisions.
func (l *load) choose(random *rand.Rand, places *rand.Zipf) (chaos.Session, what) {
	place := int(places.Uint64())
	s := l.sessions.at(place)
	switch x := random.Float64(); {
	case x < formerShare:
		s = l.sessions.anyFormer(random)
	case x < formerShare+oldShare:
		s = l.sessions.anyOld(place, random)
	}
	// elsewhere has what is rare spare what is used most.
	elsewhere := func(share float64) chaos.Session {
		if random.Float64() < share {
			return l.sessions.at(random.IntN(chaos.Places))
		}
		return s
	}
	writes := 0.17
	if place%4 >= 2 {
		writes = 0.02
	}
	switch x := random.Float64() - writes; {
	case x > 0.024:
		return s, get
	case x > 0.014:
		return elsewhere(0.5), renewIfDue
	case x > 0.004:
		return s, refresh
	case x > 0.002:
		return elsewhere(0.5), renew
	case x > 0:
		return elsewhere(0.8), remove
	case s.Place%2 == 1 && random.IntN(2) == 0:
		return s, update
	default:
		return s, change
	}
}

// operate makes one call and records it.
func (l *load) operate(s chaos.Session, do what) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	r := chaos.Record{Session: s.Number, Secret: s.Secret, Node: l.config.Node}
	token := coatcheck.Token(s.Token)
	var issued coatcheck.Token
	var info coatcheck.Info
	var value chaos.Value
	var err error
	addOne := func(v *chaos.Value) error {
		v.N, v.Op = v.N+1, r.Op
		value = *v
		return nil
	}
	r.Start = chaos.Now()
	switch do {
	case get:
		r.Kind = chaos.Get
		value, info, err = l.lookup(ctx, token)
		r.Op = value.Op
	case change:
		r.Kind, r.Op = chaos.Change, l.newOp()
		err = l.manager.Change(ctx, token, addOne, coatcheck.WithInfo(&info))
	case update:
		r.Kind, r.Op = chaos.Update, l.newOp()
		value = chaos.Value{N: uint32(r.Op), Op: r.Op}
		err = l.manager.Update(ctx, token, value, coatcheck.WithInfo(&info))
	case renew, renewIfDue:
		r.Op, r.Grace = l.newOp(), do == renewIfDue
		issued, info, err = l.renew(ctx, token, &r, addOne)
	case refresh:
		r.Kind = chaos.Refresh
		err = l.manager.Refresh(ctx, token, coatcheck.WithInfo(&info))
	case remove:
		r.Kind = chaos.Delete
		err = l.manager.Delete(ctx, token)
	}
	r.End = chaos.Now()
	r.Rev, r.N = uint32(info.Rev), value.N
	r.Outcome = l.outcome(err)
	l.recorder.Add(r)
	l.count(r.Kind, r.Outcome)
	if issued != "" {
		s.Token, s.Secret, s.Rev = string(issued), r.Op, r.Rev
		l.put(s)
		l.answer(chaos.Answer{Renewed: &s})
	}
}

// newOp names a write.
func (l *load) newOp() uint64 { return uint64(l.config.Node)<<48 | l.ops.Add(1) }

// renew changes the session and gives it a new token, both at once, and says in
// the record what that was in the end. With grace the token may be too young to be
// replaced, or others may be faster: then it is a Change, and no token is returned.
func (l *load) renew(ctx context.Context, token coatcheck.Token, r *chaos.Record, fn func(*chaos.Value) error) (coatcheck.Token, coatcheck.Info, error) {
	session := l.manager.Open(token)
	info, err := session.Info(ctx)
	if err == nil && info.ID == "" {
		err = coatcheck.ErrNotFound // and no place for a new session
	}
	if err != nil {
		r.Kind, r.Op, r.Grace = chaos.Get, 0, false
		return "", coatcheck.Info{}, err
	}
	r.Kind = chaos.Renew
	if !r.Grace {
		session.Renew()
	} else if session.RenewIfDue(); !session.Pending() {
		r.Kind, r.Grace = chaos.Change, false
	}
	if err := session.Change(ctx, fn); err != nil {
		return "", coatcheck.Info{}, err
	}
	if err := session.Flush(ctx); err != nil {
		return "", coatcheck.Info{}, err
	}
	info, err = session.Info(ctx) // of what was flushed: nobody is asked
	if session.Token() == token {
		r.Kind, r.Grace = chaos.Change, false
		return "", info, err
	}
	return session.Token(), info, err
}

// logOutEverywhere ends all sessions of a subject, and records that of each that
// there was before.
func (l *load) logOutEverywhere(of chaos.Revocation) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	r := chaos.Record{Kind: chaos.Revoke, Secret: chaos.NoSecret, Node: l.config.Node, Start: chaos.Now()}
	err := l.revokeAll(ctx, chaos.SubjectName(of.Subject))
	r.End = chaos.Now()
	for _, r.Session = range of.Sessions {
		r.Outcome = l.outcome(err)
		l.recorder.Add(r)
		l.count(r.Kind, r.Outcome)
	}
}
