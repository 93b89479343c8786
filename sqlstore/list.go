package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"iter"

	"github.com/coatcheck/coatcheck"
)

// listPage is how many records List and ListSubject read at once.
const listPage = 200

// List implements [coatcheck.Lister].
func (s *Store) List(ctx context.Context) iter.Seq2[coatcheck.Record, error] {
	return s.pages("list", func(last string) ([]listed, error) {
		page, err := s.page(ctx, s.list, last, nowMillis(), listPage)
		for _, l := range page {
			if l.err != nil {
				return nil, l.err
			}
		}
		return page, err
	})
}

// ListSubject implements [coatcheck.SubjectIndex].
func (s *Store) ListSubject(ctx context.Context, subject string) iter.Seq2[coatcheck.Record, error] {
	return s.pages("list a subject", func(last string) ([]listed, error) {
		return s.page(ctx, s.listSubject, subject, last, nowMillis(), listPage)
	})
}

// listed is a record, or what is known of one that cannot be decoded.
type listed struct {
	coatcheck.Record
	err error
}

// pages yields the records of all pages, of which read returns the one that
// follows an ID.
func (s *Store) pages(doing string, read func(last string) ([]listed, error)) iter.Seq2[coatcheck.Record, error] {
	return func(yield func(coatcheck.Record, error) bool) {
		for last := ""; ; {
			page, err := read(last)
			if err != nil {
				yield(coatcheck.Record{}, s.failed(doing, "", err))
				return
			}
			for _, l := range page {
				if !yield(l.Record, s.failed(doing, "", l.err)) {
					return
				}
			}
			if len(page) < listPage {
				return
			}
			last = page[listPage-1].ID
		}
	}
}

// page returns what a statement finds, all read before any is used: no
// connection is held while the caller works.
func (s *Store) page(ctx context.Context, stmt *sql.Stmt, args ...any) ([]listed, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	select {
	case s.listing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.listing }()
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []listed
	for rows.Next() {
		r, err := scan(rows)
		if err != nil && !errors.Is(err, coatcheck.ErrDecode) {
			return nil, err
		}
		page = append(page, listed{r, err})
	}
	return page, rows.Err()
}
