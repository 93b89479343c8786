package coatcheck

import (
	"bytes"

	"github.com/coatcheck/coatcheck/internal/nearcache"
)

type ticket[T any] = nearcache.Ticket[snapshot[T]]

// begin says that the store is about to be asked for a record, or to change it.
func (m *Manager[T]) begin(id string) *ticket[T] {
	if m.near == nil {
		return nil
	}
	return m.near.Begin(id)
}

// end says what came of it.
func (m *Manager[T]) end(t *ticket[T], o outcome[T]) {
	if t == nil {
		return
	}
	if m.near.End(t, o) {
		m.emit(Event{Kind: EntryWritten, SessionID: t.ID(), Rev: o.Rev})
	}
}

// endWrite says that the record was written, or, with an error, that it may
// have been. What was written is cached as the bytes it was written as: the
// caller may go on to change what the value points to.
func (m *Manager[T]) endWrite(t *ticket[T], token Token, r *Record, err error) {
	if t == nil {
		return
	}
	o := outcome[T]{Known: true}
	if err == nil {
		o.Rev, o.Entry = r.Rev, newEntry[T](token, r)
		o.Entry.Value.encoded = &encoded[T]{data: bytes.Clone(r.Value)}
	}
	m.end(t, o)
}
