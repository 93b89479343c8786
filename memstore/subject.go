package memstore

import (
	"context"
	"iter"
	"time"

	"github.com/coatcheck/coatcheck"
)

// subjects has the items of each subject, expired ones included until they are
// swept: the first, which leads to the others. So one subject's many take no
// longer to remove than another's one, and an item needs two pointers. Anonymous
// records have no place in it.
type subjects map[string]*item

func (s subjects) add(it *item) {
	if it.Subject == "" {
		return
	}
	if first := s[it.Subject]; first != nil {
		it.after, first.before = first, it
	}
	s[it.Subject] = it
}

func (s subjects) remove(it *item) {
	switch {
	case it.before != nil:
		it.before.after = it.after
	case it.after != nil:
		s[it.Subject] = it.after
	default:
		delete(s, it.Subject)
	}
	if it.after != nil {
		it.after.before = it.before
	}
	it.before, it.after = nil, nil
}

// ids returns those of a subject's items.
func (s subjects) ids(subject string) (ids []string) {
	for it := s[subject]; it != nil; it = it.after {
		ids = append(ids, it.ID)
	}
	return ids
}

// ListSubject implements [coatcheck.SubjectIndex], in the way of List: the IDs
// first, and then record after record.
func (s *Store) ListSubject(ctx context.Context, subject string) iter.Seq2[coatcheck.Record, error] {
	return func(yield func(coatcheck.Record, error) bool) {
		if err := s.enter(ctx); err != nil {
			yield(coatcheck.Record{}, err)
			return
		}
		ids := s.subjects.ids(subject)
		s.mu.Unlock()
		for _, id := range ids {
			r, err := s.ofSubject(ctx, id, subject)
			if err == coatcheck.ErrNotFound {
				continue
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// ofSubject returns the record, without its value, if it is that subject's still.
func (s *Store) ofSubject(ctx context.Context, id, subject string) (coatcheck.Record, error) {
	if err := s.enter(ctx); err != nil {
		return coatcheck.Record{}, err
	}
	defer s.mu.Unlock()
	it := s.living(id, time.Now())
	if it == nil || it.Subject != subject {
		return coatcheck.Record{}, coatcheck.ErrNotFound
	}
	r := it.Record
	r.Value = nil // not copied
	return clone(r), nil
}
