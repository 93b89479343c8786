package sqlstore_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/sqlstore"
	"github.com/coatcheck/coatcheck/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, path string, config sqlstore.Config) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.OpenSQLite(t.Context(), path, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, func() (storetest.Target, error) {
		path := filepath.Join(t.TempDir(), "records.db")
		s, err := sqlstore.OpenSQLite(context.Background(), path, sqlstore.Config{})
		if err != nil {
			return storetest.Target{}, err
		}
		return storetest.Target{
			Store: s,
			Close: s.Close,
			Other: func() (coatcheck.Store, error) {
				return sqlstore.OpenSQLite(context.Background(), path, sqlstore.Config{})
			},
			// A crash leaves the files as they are: a copy of them, taken while
			// the store is open, is what the next process would find.
			Restart: func() (coatcheck.Store, error) {
				crashed := filepath.Join(t.TempDir(), "records.db")
				for _, suffix := range []string{"", "-wal"} {
					data, err := os.ReadFile(path + suffix)
					if err != nil {
						return nil, err
					}
					if err := os.WriteFile(crashed+suffix, data, 0o600); err != nil {
						return nil, err
					}
				}
				next, err := sqlstore.OpenSQLite(context.Background(), crashed, sqlstore.Config{})
				if err == nil {
					t.Cleanup(func() { _ = next.Close() })
				}
				return next, err
			},
		}, nil
	})
}

// TestTwoStoresOneFile runs the contract with two stores on a file, each
// call going to the other one than the call before.
func TestTwoStoresOneFile(t *testing.T) {
	storetest.Run(t, func() (storetest.Target, error) {
		path := filepath.Join(t.TempDir(), "records.db")
		a, err := sqlstore.OpenSQLite(context.Background(), path, sqlstore.Config{})
		if err != nil {
			return storetest.Target{}, err
		}
		b, err := sqlstore.OpenSQLite(context.Background(), path, sqlstore.Config{})
		if err != nil {
			return storetest.Target{}, err
		}
		return storetest.Target{
			Store: &alternating{stores: [2]coatcheck.Store{a, b}},
			Close: func() error { return errors.Join(a.Close(), b.Close()) },
		}, nil
	})
}

func TestWriteAheadLogIsOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	open(t, path, sqlstore.Config{})
	db := raw(t, path)
	defer db.Close()
	var mode string
	if err := db.QueryRow("PRAGMA journal_mode").Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("journal_mode is %q (error %v), want wal", mode, err)
	}
}

func TestRelativePathSurvivesChdir(t *testing.T) {
	t.Chdir(t.TempDir())
	s := open(t, "records.db", sqlstore.Config{})
	t.Chdir(t.TempDir())
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	s := open(t, path, sqlstore.Config{})
	if err := s.Create(t.Context(), coatcheck.Record{ID: "a", Rev: 1}); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("%s has mode %o, want 600", info.Name(), got)
		}
	}
}

func TestOddPaths(t *testing.T) {
	for _, name := range []string{"a b.db", "a?b=c.db", "50%.db", "#1.db", "ü.db"} {
		path := filepath.Join(t.TempDir(), name)
		open(t, path, sqlstore.Config{})
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%q is not where the database went: %v", name, err)
		}
	}
}

func TestBadPathsAndConfig(t *testing.T) {
	dir := t.TempDir()
	notOne := filepath.Join(dir, "text")
	if err := os.WriteFile(notOne, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		path   string
		config sqlstore.Config
		want   error
		text   string
	}{
		"no path":        {"", sqlstore.Config{}, coatcheck.ErrInvalid, "path"},
		"memory":         {":memory:", sqlstore.Config{}, coatcheck.ErrInvalid, "memstore"},
		"no folder":      {filepath.Join(dir, "no", "x.db"), sqlstore.Config{}, coatcheck.ErrInvalid, filepath.Join(dir, "no")},
		"a folder":       {dir, sqlstore.Config{}, coatcheck.ErrUnavailable, dir},
		"not a database": {notOne, sqlstore.Config{}, coatcheck.ErrUnavailable, notOne},
		"bad config":     {filepath.Join(dir, "x.db"), sqlstore.Config{SweepInterval: -1, BusyTimeout: -1}, coatcheck.ErrInvalid, "BusyTimeout"},
	} {
		s, err := sqlstore.OpenSQLite(t.Context(), c.path, c.config)
		if s != nil || !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want %v and %q", what, err, c.want, c.text)
		}
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	if err := open(t, path, sqlstore.Config{}).Close(); err != nil {
		t.Fatal(err)
	}
	exec(t, path, "PRAGMA user_version = 3")
	if _, err := sqlstore.OpenSQLite(t.Context(), path, sqlstore.Config{}); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("OpenSQLite of a newer schema: %v", err)
	}
}

func TestForeignDatabaseIsRefused(t *testing.T) {
	for what, statement := range map[string]string{
		"with tables":            "CREATE TABLE t (x)",
		"that is marked":         "PRAGMA application_id = 7",
		"with a version of ours": "CREATE TABLE records (x); PRAGMA user_version = 1",
	} {
		path := filepath.Join(t.TempDir(), "theirs.db")
		exec(t, path, statement)
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, before) {
				t.Errorf("the database %s was changed (error %v)", what, err)
			}
		}()
		if _, err := sqlstore.OpenSQLite(t.Context(), path, sqlstore.Config{}); err == nil || !strings.Contains(err.Error(), "another application") {
			t.Errorf("OpenSQLite of a database %s: %v", what, err)
		}
	}
}

// TestCloseLeavesOneFile: whoever copies the file after a clean stop has all.
func TestCloseLeavesOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	s := open(t, path, sqlstore.Config{})
	if err := s.Create(t.Context(), coatcheck.Record{ID: "a", Rev: 1}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if _, err := os.Stat(path + suffix); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("after Close there is a file %s (%v)", suffix, err)
		}
	}
	if _, err := open(t, path, sqlstore.Config{}).Load(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}

// TestLockedFileIsUnavailable has another process, or so SQLite sees it, write
// for longer than BusyTimeout.
func TestLockedFileIsUnavailable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	s := open(t, path, sqlstore.Config{BusyTimeout: time.Millisecond})
	r := coatcheck.Record{ID: "a", Rev: 1}
	if err := s.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	unlock := lock(t, path)
	for what, err := range map[string]error{
		"Create": s.Create(t.Context(), coatcheck.Record{ID: "b", Rev: 1}),
		"Update": s.Update(t.Context(), coatcheck.Record{ID: "a", Rev: 2}),
		"Delete": s.Delete(t.Context(), "a"),
		"Touch":  s.Touch(t.Context(), r),
	} {
		if !errors.Is(err, coatcheck.ErrUnavailable) || errors.Is(err, coatcheck.ErrNotFound) {
			t.Errorf("%s of a locked file: %v, want ErrUnavailable", what, err)
		}
	}
	if _, err := s.Load(t.Context(), "a"); err != nil {
		t.Errorf("a reader waits for a writer: %v", err)
	}
	unlock()
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Errorf("Delete after the lock: %v", err)
	}
}

// TestBrokenDatabaseIsUnavailable takes the table away: every call fails, none
// reports a miss, and none claims to have done anything.
func TestBrokenDatabaseIsUnavailable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	s := open(t, path, sqlstore.Config{})
	exec(t, path, "ALTER TABLE records RENAME TO elsewhere")
	_, err := s.Load(t.Context(), "a")
	errs := map[string]error{
		"Load":   err,
		"Create": s.Create(t.Context(), coatcheck.Record{ID: "a", Rev: 1}),
		"Update": s.Update(t.Context(), coatcheck.Record{ID: "a", Rev: 2}),
		"Delete": s.Delete(t.Context(), "a"),
		"Touch":  s.Touch(t.Context(), coatcheck.Record{ID: "a"}),
	}
	for _, err := range s.List(t.Context()) {
		errs["List"] = err
	}
	for what, err := range errs {
		if !errors.Is(err, coatcheck.ErrUnavailable) || errors.Is(err, coatcheck.ErrNotFound) {
			t.Errorf("%s: %v, want ErrUnavailable", what, err)
		}
	}
	exec(t, path, "ALTER TABLE elsewhere RENAME TO records")
	if err := s.Create(t.Context(), coatcheck.Record{ID: "a", Rev: 1}); err != nil {
		t.Errorf("Create after the repair: %v", err)
	}
}

// TestOneFailureSparesItsNeighbours has a change that SQLite refuses come in
// beside many that are fine.
func TestOneFailureSparesItsNeighbours(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	s := open(t, path, sqlstore.Config{})
	exec(t, path, "CREATE TRIGGER refuse BEFORE INSERT ON records WHEN new.subject = 'refused' BEGIN SELECT RAISE(ABORT, 'refused'); END")
	for range 50 {
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				r := coatcheck.Record{ID: randomID(), Rev: 1}
				if i == 7 {
					r.Subject = "refused"
				}
				err := s.Create(t.Context(), r)
				switch _, loadErr := s.Load(t.Context(), r.ID); {
				case i == 7 && !errors.Is(err, coatcheck.ErrUnavailable):
					t.Errorf("the refused change: %v, want ErrUnavailable", err)
				case i != 7 && (err != nil || loadErr != nil):
					t.Errorf("its neighbour: %v, then %v", err, loadErr)
				}
			})
		}
		wg.Wait()
	}
}

func TestReplacedFileIsNoticed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	s := open(t, path, sqlstore.Config{})
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, coatcheck.ErrUnavailable) {
		t.Errorf("Ping after the file was moved away: %v, want ErrUnavailable", err)
	}
}

// TestLoadDoesNotWaitForList leaves a listing open at its first page.
func TestLoadDoesNotWaitForList(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "records.db"), sqlstore.Config{})
	if err := s.Create(t.Context(), coatcheck.Record{ID: "a", Rev: 1}); err != nil {
		t.Fatal(err)
	}
	var stops []func()
	for range 20 {
		next, stop := iter.Pull2(s.List(t.Context()))
		stops = append(stops, stop)
		if _, err, ok := next(); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if _, err := s.Load(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	for _, stop := range stops {
		stop()
	}
}

func TestDamagedRowIsErrDecode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	s := open(t, path, sqlstore.Config{})
	if err := s.Create(t.Context(), coatcheck.Record{ID: "a", Rev: 1}); err != nil {
		t.Fatal(err)
	}
	exec(t, path, "UPDATE records SET secret_hash = x'00'")
	if _, err := s.Load(t.Context(), "a"); !errors.Is(err, coatcheck.ErrDecode) || errors.Is(err, coatcheck.ErrUnavailable) {
		t.Errorf("Load of a damaged row: %v, want ErrDecode", err)
	}
}

func TestSweepRemovesExpiredRowsOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	s := open(t, path, sqlstore.Config{SweepInterval: time.Millisecond})
	create := func(id string, deadline time.Time) {
		t.Helper()
		if err := s.Create(t.Context(), coatcheck.Record{ID: id, Rev: 1, ExpiresAt: deadline}); err != nil {
			t.Fatal(err)
		}
	}
	living := map[string]time.Time{"soon": time.Now().Add(30 * time.Second), "later": time.Now().Add(time.Hour), "never": {}}
	for id, deadline := range living {
		create(id, deadline)
	}
	for range 1000 { // several batches
		create(randomID(), time.Now().Add(-time.Second))
	}
	for rows(t, path) > len(living) && t.Context().Err() == nil {
	}
	for id := range living {
		if _, err := s.Load(t.Context(), id); err != nil {
			t.Errorf("the record that expires %s was swept: %v", id, err)
		}
	}
}

func TestClosedStore(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "records.db"), sqlstore.Config{})
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	_, err := s.Load(t.Context(), "a")
	for what, err := range map[string]error{
		"Load":   err,
		"Create": s.Create(t.Context(), coatcheck.Record{ID: "a"}),
		"Delete": s.Delete(t.Context(), "a"),
		"Ping":   s.Ping(t.Context()),
	} {
		if !errors.Is(err, coatcheck.ErrClosed) {
			t.Errorf("%s of a closed store: %v, want ErrClosed", what, err)
		}
	}
}

func rows(t *testing.T, path string) (n int) {
	t.Helper()
	db := raw(t, path)
	defer db.Close()
	if err := db.QueryRow("SELECT count(*) FROM records").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func exec(t *testing.T, path, statement string) {
	t.Helper()
	db := raw(t, path)
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// lock keeps the file from being written until unlock.
func lock(t *testing.T, path string) (unlock func()) {
	t.Helper()
	db := raw(t, path)
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	return func() { _ = db.Close() }
}

func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	return db
}
