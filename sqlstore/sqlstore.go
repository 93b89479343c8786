// Package sqlstore keeps coatcheck's records in an SQL database: SQLite, in a
// file of this machine, with no server to install.
//
// The file is in WAL mode: readers never wait. Changes that come in while one
// is being committed share the next transaction. Several processes may use one
// file; it must be on a local disk.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/coatcheck/coatcheck"
)

// Store is a [coatcheck.Store] on SQLite. It also implements
// [coatcheck.Toucher], [coatcheck.Lister], [coatcheck.SubjectIndex],
// [coatcheck.Pinger] and [coatcheck.Watcher]. What it has acknowledged survives a
// crash of the process; see Config.SurvivePowerLoss.
type Store struct {
	write  *sql.DB // one connection, the writer's
	read   *sql.DB
	writer *writer

	load, list, listSubject *sql.Stmt

	// Each Load and each page of a listing that uses a connection has put an
	// element in here. They share none, so that no Load waits for a listing.
	loading, listing chan struct{}

	path string
	file os.FileInfo // as it was opened

	closing   sync.Once
	stopSweep context.CancelFunc
	swept     chan struct{} // closed when the sweeper has ended
}

var (
	_ coatcheck.Store        = (*Store)(nil)
	_ coatcheck.Toucher      = (*Store)(nil)
	_ coatcheck.Lister       = (*Store)(nil)
	_ coatcheck.SubjectIndex = (*Store)(nil)
	_ coatcheck.Pinger       = (*Store)(nil)
)

// Close ends the goroutines, commits what is under way and closes the file.
// Later calls return an error that wraps [coatcheck.ErrClosed]. Closing twice
// is fine.
func (s *Store) Close() (err error) {
	s.closing.Do(func() {
		s.stopSweep()
		<-s.swept
		err = errors.Join(s.writer.close(), s.closeDatabases())
		s.writer.watches.lost() // nobody serves from memory what is behind a closed store
	})
	return err
}

func (s *Store) closeDatabases() error {
	var errs []error
	for _, stmt := range []*sql.Stmt{s.load, s.list, s.listSubject} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	for _, db := range []*sql.DB{s.read, s.write} { // the last connection tidies up
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// Load implements [coatcheck.Store].
func (s *Store) Load(ctx context.Context, id string) (coatcheck.Record, error) {
	if err := s.enter(ctx); err != nil {
		return coatcheck.Record{}, err
	}
	select {
	case s.loading <- struct{}{}:
	case <-ctx.Done():
		return coatcheck.Record{}, ctx.Err()
	}
	defer func() { <-s.loading }()
	// Without ctx, which costs a goroutine, for what takes microseconds.
	r, err := scan(s.load.QueryRow(id, nowMillis()))
	if errors.Is(err, sql.ErrNoRows) {
		return coatcheck.Record{}, coatcheck.ErrNotFound
	}
	return r, s.failed("load", id, err)
}

// Create implements [coatcheck.Store].
func (s *Store) Create(ctx context.Context, r coatcheck.Record) error {
	r.Value = slices.Clone(r.Value) // ctx may end while the writer still reads it
	return s.change(ctx, "create", r.ID, unreported, func(stmts *statements) (answer, failure error) {
		n, err := affected(stmts.create.Exec(append(arguments(&r), nowMillis())...))
		if err == nil && n == 0 {
			return coatcheck.ErrExists, nil
		}
		return nil, err
	})
}

// Update implements [coatcheck.Store].
func (s *Store) Update(ctx context.Context, r coatcheck.Record) error {
	r.Value = slices.Clone(r.Value)
	return s.change(ctx, "update", r.ID, coatcheck.RecordChange{ID: r.ID, Rev: r.Rev, Own: true}, func(stmts *statements) (answer, failure error) {
		now := nowMillis()
		n, err := affected(stmts.update.Exec(append(arguments(&r), now, int64(r.Rev-1))...))
		if err != nil || n > 0 {
			return nil, err
		}
		err = stmts.exists.QueryRow(r.ID, int64(r.Incarnation), now).Scan(new(int))
		switch {
		case err == nil:
			return coatcheck.ErrConflict, nil
		case errors.Is(err, sql.ErrNoRows):
			return coatcheck.ErrNotFound, nil
		}
		return nil, err
	})
}

// Delete implements [coatcheck.Store].
func (s *Store) Delete(ctx context.Context, id string) error {
	// Reported also if nothing is there: it is another process that has deleted
	// the record then, and no report of that may have been made yet.
	return s.change(ctx, "delete", id, coatcheck.RecordChange{ID: id, Own: true}, func(stmts *statements) (answer, failure error) {
		_, err := stmts.delete.Exec(id)
		return nil, err
	})
}

// Touch implements [coatcheck.Toucher].
func (s *Store) Touch(ctx context.Context, r coatcheck.Record) error {
	return s.change(ctx, "touch", r.ID, unreported, func(stmts *statements) (answer, failure error) {
		n, err := affected(stmts.touch.Exec(r.ID, int64(r.Incarnation), millis(r.ExpiresAt), nowMillis()))
		if err == nil && n == 0 {
			return coatcheck.ErrNotFound, nil
		}
		return nil, err
	})
}

func affected(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// unreported is the report of a change of which no watch needs to hear.
var unreported coatcheck.RecordChange

// change has the writer make a change.
func (s *Store) change(ctx context.Context, doing, id string, report coatcheck.RecordChange, apply func(*statements) (answer, failure error)) error {
	switch err := s.writer.do(ctx, report, apply); err {
	case coatcheck.ErrNotFound, coatcheck.ErrConflict, coatcheck.ErrExists, nil:
		return err
	default:
		return s.failed(doing, id, err)
	}
}

// Ping implements [coatcheck.Pinger].
func (s *Store) Ping(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	if err := s.checkFile(); err != nil {
		return s.failed("ping", "", err)
	}
	var version int
	return s.failed("ping", "", s.read.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version))
}

// checkFile tells whether the path still names the file that was opened.
func (s *Store) checkFile() error {
	if file, err := os.Stat(s.path); err != nil || !os.SameFile(file, s.file) {
		return errors.New("the file was deleted or replaced while it was in use: restart")
	}
	return nil
}

func (s *Store) enter(ctx context.Context) error {
	select {
	case <-s.writer.stop:
		return fmt.Errorf("sqlstore: %w", coatcheck.ErrClosed)
	default:
		return ctx.Err()
	}
}

// failed adds to an error what was being done; nil stays nil.
func (s *Store) failed(doing, id string, err error) error {
	if err == nil {
		return nil
	}
	select {
	case <-s.writer.stop: // the databases may have been closed under the call
		err = coatcheck.ErrClosed
	default:
	}
	if !slices.ContainsFunc(knownErrors, func(known error) bool { return errors.Is(err, known) }) {
		err = fmt.Errorf("%w: %w", coatcheck.ErrUnavailable, err)
	}
	if id == "" {
		return fmt.Errorf("sqlstore: %s: %w", doing, err)
	}
	return fmt.Errorf("sqlstore: %s session %s: %w", doing, id, err)
}

// knownErrors need no other name.
var knownErrors = []error{
	coatcheck.ErrUnavailable, coatcheck.ErrDecode, coatcheck.ErrTooLarge, coatcheck.ErrClosed, context.Canceled, context.DeadlineExceeded,
}
