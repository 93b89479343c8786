package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/coatcheck/coatcheck"
)

// otherReaders are connections for listings and Ping, one each.
const otherReaders = 2

// OpenSQLite opens the database in the file, or makes it, readable and
// writable for this user only. It returns an error that wraps
// [coatcheck.ErrInvalid] if the configuration is wrong, and
// [coatcheck.ErrUnavailable] if the file cannot be used.
func OpenSQLite(ctx context.Context, path string, config Config) (*Store, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := createFile(path); err != nil {
		return nil, err
	}
	// Connections are opened later, too, and the folder may change until then.
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("sqlstore: %w: %w", coatcheck.ErrUnavailable, err)
	}
	s, err := open(ctx, path, config)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: open %s: %w: %w", path, coatcheck.ErrUnavailable, err)
	}
	return s, nil
}

// createFile makes an empty file, for SQLite would make one that everybody can
// read.
func createFile(path string) error {
	if path == "" || path == ":memory:" {
		return fmt.Errorf("sqlstore: %w: a path is needed (for records in memory use package memstore)", coatcheck.ErrInvalid)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sqlstore: %w: the folder %s does not exist: create it first", coatcheck.ErrInvalid, filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("sqlstore: %w: %w", coatcheck.ErrUnavailable, err)
	}
	return f.Close()
}

func open(ctx context.Context, path string, config Config) (_ *Store, err error) {
	s := &Store{swept: make(chan struct{}), path: path}
	defer func() {
		if err != nil {
			s.closeDatabases()
		}
	}()
	if s.file, err = os.Stat(path); err != nil {
		return nil, err
	}
	if s.write, err = sql.Open("sqlite", config.dsn(path, "cache_size(-32768)")); err != nil {
		return nil, err
	}
	s.write.SetMaxOpenConns(1)
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, conn); err != nil {
		return nil, err
	}
	// Only now: the mode is written into the file, which is ours by now.
	if _, err := conn.ExecContext(ctx, "PRAGMA journal_mode = WAL"); err != nil {
		return nil, err
	}
	stmts, err := prepare(ctx, conn)
	if err != nil {
		return nil, err
	}
	if s.read, err = sql.Open("sqlite", config.dsn(path, "query_only(1)")); err != nil {
		return nil, err
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	s.loading, s.listing = make(chan struct{}, readers), make(chan struct{}, 1)
	s.read.SetMaxOpenConns(readers + otherReaders)
	s.read.SetMaxIdleConns(readers)
	if s.load, err = s.read.PrepareContext(ctx, loadSQL); err != nil {
		return nil, err
	}
	if s.list, err = s.read.PrepareContext(ctx, listSQL); err != nil {
		return nil, err
	}
	if s.listSubject, err = s.read.PrepareContext(ctx, listSubjectSQL); err != nil {
		return nil, err
	}
	s.writer = newWriter(conn, stmts)
	sweeping, stop := context.WithCancel(context.Background())
	s.stopSweep = stop
	go s.sweepUntil(sweeping, config.SweepInterval)
	return s, nil
}
