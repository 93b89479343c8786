package sqlstore_test

import (
	"context"
	"crypto/rand"
	"iter"
	"sync/atomic"

	"github.com/coatcheck/coatcheck"
)

func randomID() string { return rand.Text()[:22] }

// alternating sends each call to the other of two stores.
type alternating struct {
	stores [2]coatcheck.Store
	calls  atomic.Uint64
}

func (a *alternating) next() coatcheck.Store { return a.stores[a.calls.Add(1)%2] }

func (a *alternating) Load(ctx context.Context, id string) (coatcheck.Record, error) {
	return a.next().Load(ctx, id)
}
func (a *alternating) Create(ctx context.Context, r coatcheck.Record) error {
	return a.next().Create(ctx, r)
}
func (a *alternating) Update(ctx context.Context, r coatcheck.Record) error {
	return a.next().Update(ctx, r)
}
func (a *alternating) Delete(ctx context.Context, id string) error { return a.next().Delete(ctx, id) }
func (a *alternating) Touch(ctx context.Context, r coatcheck.Record) error {
	_, err := coatcheck.Touch(ctx, a.next(), r)
	return err
}
func (a *alternating) List(ctx context.Context) iter.Seq2[coatcheck.Record, error] {
	return coatcheck.List(ctx, a.next())
}
func (a *alternating) ListSubject(ctx context.Context, subject string) iter.Seq2[coatcheck.Record, error] {
	return coatcheck.ListSubject(ctx, a.next(), subject)
}
