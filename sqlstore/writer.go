package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/coatcheck/coatcheck"
)

// maxBatch bounds how many changes share a transaction, and with it how long
// the first of them waits for the last.
const maxBatch = 256

// writer makes all changes, one transaction for as many as are waiting: SQLite
// has one writer at a time anyhow, and the costly part is the commit.
type writer struct {
	conn    *sql.Conn
	stmts   *statements
	changes chan *change  // unbuffered: a change is either taken up or not
	asked   chan question // unbuffered as well
	stop    chan struct{} // closed to end the loop
	stopped chan struct{} // closed when the loop has ended

	watches watches
	reports []coatcheck.RecordChange // of the batch under way
}

// change is one statement, perhaps with a look at what it found.
type change struct {
	ctx context.Context

	// report is what watches hear when the change is made; no ID if nothing.
	report coatcheck.RecordChange

	// apply returns the answer to the caller, such as ErrConflict, and whether
	// the database failed, which fails the batch.
	apply  func(*statements) (answer, failure error)
	answer error
	done   chan error
}

func newWriter(conn *sql.Conn, stmts *statements) *writer {
	w := &writer{
		conn: conn, stmts: stmts,
		changes: make(chan *change), asked: make(chan question), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	go w.loop()
	return w
}

// close ends the loop when the batch under way is committed.
func (w *writer) close() error {
	close(w.stop)
	<-w.stopped
	return errors.Join(w.stmts.close(), w.conn.Close())
}

// do has a change made and waits until it is committed and reported. If ctx
// ends first, the change is made in full or not at all.
func (w *writer) do(ctx context.Context, report coatcheck.RecordChange, apply func(*statements) (answer, failure error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &change{ctx: ctx, report: report, apply: apply, done: make(chan error, 1)}
	select {
	case w.changes <- c:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stop:
		return coatcheck.ErrClosed
	}
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		if report.ID != "" { // it may be made by now
			w.watches.report(coatcheck.RecordChange{ID: report.ID, Own: true})
		}
		return ctx.Err()
	}
}

func (w *writer) loop() {
	defer close(w.stopped)
	batch := make([]*change, 0, maxBatch)
	for {
		select {
		case <-w.stop:
			return
		case c := <-w.changes:
			batch = append(batch[:0], c)
		case q := <-w.asked:
			q <- w.answer()
			continue
		}
		made, err := w.commit(batch, maxBatch)
		w.report(made, err)
		if err != nil && len(made) > 1 {
			w.commitEach(made) // one of them may be to blame for all
			continue
		}
		finish(made, err)
	}
}

// commitEach makes each change in a transaction of its own.
func (w *writer) commitEach(batch []*change) {
	for i := range batch {
		made, err := w.commit(batch[i:i+1:i+1], 1)
		w.report(made, err)
		finish(made, err)
	}
}

// report tells the watches of a batch that was committed. One that failed may
// have been committed all the same, if it was COMMIT that failed.
func (w *writer) report(batch []*change, failure error) {
	w.reports = w.reports[:0]
	for _, c := range batch {
		switch {
		case c.report.ID == "":
		case failure != nil:
			w.reports = append(w.reports, coatcheck.RecordChange{ID: c.report.ID, Own: true})
		case c.answer == nil:
			w.reports = append(w.reports, c.report)
		}
	}
	if len(w.reports) > 0 {
		w.watches.report(w.reports...)
		clear(w.reports)
	}
}

// finish answers the callers.
func finish(batch []*change, failure error) {
	for i, c := range batch {
		if failure != nil {
			c.answer = named(failure)
		}
		c.done <- c.answer
		batch[i] = nil
	}
}

// named gives a failure of the database one of coatcheck's names.
func named(failure error) error {
	var err *sqlite.Error
	if errors.As(failure, &err) && err.Code() == sqlite3.SQLITE_TOOBIG {
		return fmt.Errorf("%w: %w", coatcheck.ErrTooLarge, failure)
	}
	return fmt.Errorf("%w: %w", coatcheck.ErrUnavailable, failure)
}

// commit makes the first change, those that wait, and those that come up
// meanwhile, up to limit. It returns all of them, which fail together or not
// at all.
func (w *writer) commit(batch []*change, limit int) (_ []*change, err error) {
	if _, err := w.stmts.begin.Exec(); err != nil {
		return batch, err
	}
	defer func() {
		if err != nil {
			_, _ = w.stmts.rollback.Exec() // fails if SQLite has done so itself
		}
	}()
	for i := 0; i < len(batch); i++ {
		c := batch[i]
		if c.answer = c.ctx.Err(); c.answer == nil {
			if c.answer, err = c.apply(w.stmts); err != nil {
				return batch, err
			}
		}
		if len(batch) < limit {
			select {
			case c := <-w.changes:
				batch = append(batch, c)
			default:
			}
		}
	}
	_, err = w.stmts.commit.Exec()
	return batch, err
}

// question asks for the version of the database, see [Store.version].
type question chan versionAnswer

type versionAnswer struct {
	version int64
	err     error
}

// version asks the loop, for only its connection does not count its own commits
// as another's, and only between two of them is it clear which were reported.
func (w *writer) version(ctx context.Context) (int64, error) {
	q := make(question, 1)
	select {
	case w.asked <- q:
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-w.stop:
		return 0, coatcheck.ErrClosed
	}
	select {
	case a := <-q:
		return a.version, a.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// answer uses no transaction: it waits for no writer in another process, and
// keeps none waiting.
func (w *writer) answer() (a versionAnswer) {
	a.err = w.stmts.version.QueryRow().Scan(&a.version)
	return a
}
