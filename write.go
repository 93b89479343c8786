package coatcheck

import (
	"bytes"

	"github.com/coatcheck/coatcheck/internal/nearcache"
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
// points to. Of what was only created no changes are reported: see [Watcher].
// With an error, or a panic, the record may have been filed or not.
func (m *Manager[T]) write(token Token, r *Record, watched bool, file func() error) (*entry[T], error) {
	if m.near == nil {
		if err := file(); err != nil {
			return nil, err
		}
		return newWrittenEntry[T](token, r), nil
	}
	o := outcome[T]{Known: true, Unwatched: !watched}
	ticket := m.near.Begin(r.ID)
	defer func() { m.end(ticket, o) }()
	if err := file(); err != nil {
		return nil, err
	}
	o.Rev, o.Entry = r.Rev, newWrittenEntry[T](token, r)
	return o.Entry, nil
}

func newWrittenEntry[T any](token Token, r *Record) *entry[T] {
	e := newEntry[T](token, r)
	e.Value.encoded = &encoded[T]{data: bytes.Clone(r.Value)}
	return e
}
