package storetest_test

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/coatcheck/coatcheck"
)

// faultySubjects is what a faulty store needs to be wrong about subjects. The
// sound one has no index: it looks at all records.
type faultySubjects struct {
	former map[string]map[string]bool // by ID: subjects that a record had before
	names  map[string]map[string]bool // by subject: the IDs that an index has, dead ones among them
}

// belongs says whether the listing of a subject is to have a record.
func (s *faulty) belongs(r coatcheck.Record, subject string) bool {
	switch s.fault {
	case "lists subjects by prefix":
		return strings.HasPrefix(r.Subject, subject)
	case "lists subjects in any case":
		return strings.EqualFold(r.Subject, subject)
	case "ends subjects at NUL":
		r.Subject, _, _ = strings.Cut(r.Subject, "\x00")
		subject, _, _ = strings.Cut(subject, "\x00")
	case "trims subjects":
		return strings.TrimSpace(r.Subject) == strings.TrimSpace(subject)
	case "cuts subjects off":
		return r.Subject[:min(len(r.Subject), 254)] == subject[:min(len(subject), 254)]
	case "remembers the old subject":
		return r.Subject == subject || s.former[r.ID][subject]
	case "misses subjects given by updates":
		return r.Subject == subject && r.Rev == 1
	case "misses who had another subject":
		return r.Subject == subject && len(s.former[r.ID]) == 0
	case "misses the touched":
		if first, ok := s.untouched[r.ID]; ok && !time.Now().Before(first) {
			return false
		}
	case "misses heirs":
		_, had := s.deleted[r.ID]
		return r.Subject == subject && !had
	}
	return r.Subject == subject
}

func (s *faulty) note(old, r coatcheck.Record) {
	if old.ID != "" && old.Subject != r.Subject {
		add(s.former, r.ID, old.Subject)
	}
	add(s.names, r.Subject, r.ID)
}

func add(sets map[string]map[string]bool, key, element string) {
	if sets[key] == nil {
		sets[key] = make(map[string]bool)
	}
	sets[key][element] = true
}

// prune strikes dead names out of the index. The fault is the pause between the
// look at the records and what rests on it.
func (s *faulty) prune(subject string) {
	var dead []string
	for id := range s.names[subject] {
		if r, ok := s.living(id); !ok || r.Subject != subject {
			dead = append(dead, id)
		}
	}
	if len(dead) > 0 {
		s.mu.Unlock()
		time.Sleep(3 * time.Millisecond) // long enough for others to come to it on a busy machine
		s.mu.Lock()
	}
	for _, id := range dead {
		delete(s.names[subject], id)
	}
}

func (s *faulty) ListSubject(ctx context.Context, subject string) iter.Seq2[coatcheck.Record, error] {
	if s.fault == "lists subjects though cancelled" {
		ctx = context.WithoutCancel(ctx)
	}
	if s.fault == "pages by number" {
		return s.paged(ctx, subject)
	}
	return func(yield func(coatcheck.Record, error) bool) {
		all, err := s.ofSubject(ctx, subject)
		if err != nil {
			if yield(coatcheck.Record{}, err) && s.fault == "goes on after an error" {
				yield(coatcheck.Record{}, err)
			}
			return
		}
		for _, r := range all {
			if s.fault == "lists who has moved on" { // looks at the record after the index
				if r, err = s.Load(ctx, r.ID); err != nil {
					continue
				}
				r.Value = nil
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (s *faulty) ofSubject(ctx context.Context, subject string) (all []coatcheck.Record, err error) {
	if s.fault == "subjects outlive Close" && s.closed {
		return nil, nil
	}
	if err := s.enter(ctx); err != nil {
		if s.fault == "no subjects in an outage" && s.down {
			return nil, nil
		}
		if s.fault == "errors with the subject's hashes" {
			for _, r := range s.records {
				err = fmt.Errorf("%w: %x", err, r.Retired[0].Hash)
			}
		}
		return nil, err
	}
	if s.fault == "prunes racing" {
		s.prune(subject)
	}
	candidates := s.records
	if s.fault == "lists a subject's deleted" {
		candidates = maps.Clone(s.deleted)
		maps.Copy(candidates, s.records)
	}
	for id, r := range candidates {
		expired := r.Expired(time.Now())
		if expired && s.fault != "lists a subject's expired" || !s.belongs(r, subject) {
			continue
		}
		if s.fault == "prunes racing" && !s.names[subject][id] {
			continue
		}
		all = append(all, s.asListed(r))
	}
	switch s.fault {
	case "lists one page of a subject":
		all = all[:min(len(all), 1000)]
	case "lists a subject twice":
		all = append(all, all...)
	}
	return all, s.leave(ctx)
}

func (s *faulty) asListed(r coatcheck.Record) coatcheck.Record {
	switch s.fault {
	case "lists a subject without its retired":
		r.Retired = nil
	case "lists a subject without its clients":
		r.Client = coatcheck.Client{}
	}
	if s.fault != "lists a subject's slice" {
		r.Retired = slices.Clone(r.Retired)
	}
	if s.fault != "lists a subject with values" {
		r.Value = nil
	}
	return r
}

// paged reads page after page, each from where the one before would end if no
// record had gone meanwhile.
func (s *faulty) paged(ctx context.Context, subject string) iter.Seq2[coatcheck.Record, error] {
	return func(yield func(coatcheck.Record, error) bool) {
		for page := 0; ; page += 100 {
			all, err := s.ofSubject(ctx, subject)
			if err != nil {
				yield(coatcheck.Record{}, err)
				return
			}
			slices.SortFunc(all, func(a, b coatcheck.Record) int { return strings.Compare(a.ID, b.ID) })
			for i := page; i < page+100; i++ {
				if i >= len(all) || !yield(all[i], nil) {
					return
				}
			}
		}
	}
}
