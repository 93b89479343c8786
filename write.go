package coatcheck

import (
	"bytes"

	"github.com/coatcheck/coatcheck/internal/nearcache"
)

// written says how a record came to be as it is.
type written int

const (
	created      written = iota
	createdUnder         // an ID that the caller has chosen, and that may have been in use before
	updated
	updatedByFormer // by the holder of a secret that was replaced
)

type ticket[T any] = nearcache.Ticket[snapshot[T]]

// end says what came of asking the store.
func (m *Manager[T]) end(t *ticket[T], o outcome[T]) {
	if m.near.End(t, o) {
		m.emit(Event{Kind: EntryWritten, SessionID: t.ID(), Rev: o.Rev})
	}
}

// write has the store file the record, and the near cache take it over: as the
// bytes it was filed as, for the caller may go on to change what the value
// points to. Of what was only created no changes are reported: see [Watcher]. What
// was written by the holder of a former secret is for him only. With an error, or a
// panic, the record may have been filed or not.
func (m *Manager[T]) write(token Token, r *Record, how written, file func() error) (*entry[T], error) {
	if m.near == nil {
		if err := file(); err != nil {
			return nil, err
		}
		return m.newWrittenEntry(token, r, how), nil
	}
	o := outcome[T]{
		Known: true, Unwatched: how <= createdUnder, Newborn: how == created, Uncached: how == updatedByFormer,
	}
	ticket := m.near.Begin(r.ID)
	defer func() { m.end(ticket, o) }()
	if err := file(); err != nil {
		return nil, err
	}
	o.Rev, o.Entry = r.Rev, m.newWrittenEntry(token, r, how)
	return o.Entry, nil
}

func (m *Manager[T]) newWrittenEntry(token Token, r *Record, how written) *entry[T] {
	data := r.Value
	if _, own := m.codec.(JSON[T]); !own { // it may be part of the value
		data = bytes.Clone(data)
	}
	e := newEntry[T](token, r, how == updatedByFormer)
	e.Value.encoded = &encoded[T]{data: data}
	return e
}
