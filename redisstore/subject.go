package redisstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/redis/rueidis"

	"github.com/coatcheck/coatcheck"
)

// headsPage is how many records' heads are read in one round trip: a thousand
// sessions of a subject, with half as many dead names. It bounds the memory, too:
// a head has 954 bytes at most. (For 2,000 and more the client would open another
// connection.)
const headsPage = 1500

// ListSubject implements [coatcheck.SubjectIndex]: the names that the index
// has, then the heads of the records, without more of the values than fits into
// the longest head. On the way it removes the names of records that have ended.
func (s *Store) ListSubject(ctx context.Context, subject string) iter.Seq2[coatcheck.Record, error] {
	return func(yield func(coatcheck.Record, error) bool) {
		if subject == "" {
			yield(coatcheck.Record{}, fmt.Errorf("redisstore: list a subject: %w: the empty one is nobody's", coatcheck.ErrInvalid))
			return
		}
		if err := s.enter(ctx); err != nil {
			yield(coatcheck.Record{}, err)
			return
		}
		names, err := s.client.Do(ctx, s.client.B().Zrange().Key(s.indexKey(subject)).Min("0").Max("-1").Build()).AsStrSlice()
		if err != nil {
			yield(coatcheck.Record{}, s.failed(ctx, "list a subject", "", err))
			return
		}
		for page := range slices.Chunk(names, headsPage) {
			if !s.listNames(ctx, subject, page, yield) {
				return
			}
		}
	}
}

// listed is a record, or what is known of one that cannot be decoded.
type listed struct {
	coatcheck.Record
	err error
}

// listNames reports whether to go on.
func (s *Store) listNames(ctx context.Context, subject string, names []string, yield func(coatcheck.Record, error) bool) bool {
	gets := make(rueidis.Commands, len(names))
	for i, name := range names {
		id, _, _ := parseIndexName(name)
		gets[i] = s.client.B().Getrange().Key(s.prefix + id).Start(0).End(longestHead - 1).Build()
	}
	var found []listed
	var dead []string
	var failed error
	for i, result := range s.client.DoMulti(ctx, gets...) {
		id, incarnation, ok := parseIndexName(names[i])
		head, err := result.AsBytes()
		if err != nil {
			failed = s.failed(ctx, "list a subject", id, err)
			break
		}
		if !ok || len(head) == 0 {
			dead = append(dead, names[i])
			continue
		}
		r, err := living(id, head)
		switch {
		case errors.Is(err, coatcheck.ErrNotFound): // by this process's clock only
		case err != nil: // it was named to the subject, and may be of it still
			found = append(found, listed{coatcheck.Record{ID: id, Subject: subject}, err})
		case r.Incarnation != incarnation:
			dead = append(dead, names[i])
		case r.Subject == subject: // else it may be about to be given this one
			r.Value = nil
			found = append(found, listed{r, nil})
		}
	}
	if len(dead) > 0 {
		s.dropFromIndex(ctx, subject, dead...)
	}
	for _, l := range found {
		if !yield(l.Record, l.err) {
			return false
		}
	}
	if failed != nil {
		yield(coatcheck.Record{}, failed)
	}
	return failed == nil
}
