package loadgen

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck/coatcheck"
)

// updates is a store whose Update is another one.
type updates struct {
	*counted
	update func() error
}

func (u updates) Update(context.Context, coatcheck.Record) error { return u.update() }

// elsewhereOn measures on a store with such an Update.
func elsewhereOn(ctx context.Context, t *testing.T, update func() error) error {
	t.Helper()
	_, s := open(t, "read=1", false, nil)
	node, err := coatcheck.New(coatcheck.Config[Value]{Store: updates{s, update}, NearCache: coatcheck.NearCache{MaxEntries: -1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close() })
	_, err = Elsewhere(ctx, node, node, nil)
	if n := s.living(t); n > 0 {
		t.Errorf("%d sessions are left", n)
	}
	return err
}

// TestElsewhereDeletesItsSessionAfterAnError too.
func TestElsewhereDeletesItsSessionAfterAnError(t *testing.T) {
	if err := elsewhereOn(t.Context(), t, func() error { return coatcheck.ErrUnavailable }); !errors.Is(err, coatcheck.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
}

// TestElsewhereEndsWithItsContext: although the change that it waits for never comes.
func TestElsewhereEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if err := elsewhereOn(ctx, t, func() error { return nil }); err != nil || time.Since(begin) != time.Second {
			t.Errorf("it ends after %v with error %v", time.Since(begin), err)
		}
	})
}
