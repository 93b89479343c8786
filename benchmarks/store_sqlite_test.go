package benchmarks

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/sqlstore"
)

func openSQLite(b *testing.B, near coatcheck.NearCache) *bench {
	store, err := sqlstore.OpenSQLite(context.Background(), filepath.Join(b.TempDir(), "ours.db"), sqlstore.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	manager, err := newManager(store, near)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = manager.Close() })
	return &bench{store: store, manager: manager, raw: openRawSQLite(b, "sqlite")}
}

// The raw statements write and read all that a record consists of, but check
// nothing: no revision, no deadline, no ID that is taken.
const (
	rawColumns = `id, incarnation, rev, secret_hash, subject, value, created_at, expires_at, absolute_deadline, idle_timeout`
	rawInsert  = `INSERT INTO records (` + rawColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	rawSelect  = `SELECT ` + rawColumns + ` FROM records WHERE id = ?`
	rawUpdate  = `UPDATE records SET rev = ?, secret_hash = ?, subject = ?, value = ?, created_at = ?,
		expires_at = ?, absolute_deadline = ?, idle_timeout = ? WHERE id = ?`
)

// rawSQLite has what sqlstore has, by hand: one connection that writes and some
// that read, with prepared statements on the same table in a file of its own.
type rawSQLite struct {
	begin, commit, insert, change *sql.Stmt
	load                          *sql.Stmt

	ids   []string
	value []byte
	hash  []byte
}

func openRawSQLite(b *testing.B, driver string) *rawSQLite {
	schema, err := os.ReadFile("../sqlstore/schema.sql")
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), driver+".db")
	write := openDatabase(b, driver, path, 1, "cache_size(-32768)")
	if _, err := write.Exec(string(schema)); err != nil {
		b.Fatal(err)
	}
	read := openDatabase(b, driver, path, max(4, runtime.GOMAXPROCS(0)), "query_only(1)")

	r := &rawSQLite{value: sampleJSON(), hash: make([]byte, 32)}
	for _, p := range []struct {
		db   *sql.DB
		stmt **sql.Stmt
		text string
	}{
		{write, &r.begin, "BEGIN IMMEDIATE"}, {write, &r.commit, "COMMIT"},
		{write, &r.insert, rawInsert}, {write, &r.change, rawUpdate}, {read, &r.load, rawSelect},
	} {
		if *p.stmt, err = p.db.Prepare(p.text); err != nil {
			b.Fatal(err)
		}
	}
	return r
}

// openDatabase opens a database with the settings of sqlstore, and makes sure
// that the driver took them.
func openDatabase(b *testing.B, driver, path string, connections int, pragma string) *sql.DB {
	settings := url.Values{"_pragma": {pragma, "busy_timeout(5000)", "journal_mode(WAL)", "synchronous(NORMAL)"}}
	db, err := sql.Open(driver, "file:"+path+"?"+settings.Encode())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	for name, want := range map[string]string{"journal_mode": "wal", "synchronous": "1"} {
		var got string
		if err := db.QueryRow("PRAGMA " + name).Scan(&got); err != nil || got != want {
			b.Fatalf("%s: %s is %q, want %q (error %v)", driver, name, got, want, err)
		}
	}
	return db
}

func (r *rawSQLite) fill() error {
	r.ids = randomIDs(sessions)
	return r.inBatches(func(i int) error { return r.insertOne(r.ids[i]) })(0, sessions)
}

// create inserts rows, each in a transaction of its own; where there are many
// goroutines, one does their work in full transactions, which is the fastest
// that SQLite allows.
func (r *rawSQLite) create(goroutines int) workload {
	return r.writing(goroutines, func(int) error { return r.insertOne(randomID()) })
}

func (r *rawSQLite) update(goroutines int) workload {
	return r.writing(goroutines, func(i int) error {
		now := time.Now().UnixMilli()
		result, err := r.change.Exec(2, r.hash, "", r.value, now, later(now), muchLater(now), idleMillis, r.ids[i%sessions])
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n != 1 {
			return fmt.Errorf("%d rows updated, error %v", n, err)
		}
		return nil
	})
}

func (r *rawSQLite) read(goroutines int) workload {
	return spread(goroutines, func(i int) error {
		var id, subject string
		var hash, value []byte
		var incarnation, rev, created, expires, absolute, idle int64
		return r.load.QueryRow(r.ids[i%sessions]).Scan(
			&id, &incarnation, &rev, &hash, &subject, &value, &created, &expires, &absolute, &idle)
	})
}

func (r *rawSQLite) writing(goroutines int, do func(i int) error) workload {
	if goroutines == 1 {
		return spread(1, do)
	}
	return r.inBatches(do)
}

// inBatches does maxGoroutines operations in each transaction.
func (r *rawSQLite) inBatches(do func(i int) error) workload {
	return func(first, n int) error {
		for end := first + n; first < end; {
			if _, err := r.begin.Exec(); err != nil {
				return err
			}
			for batchEnd := min(first+maxGoroutines, end); first < batchEnd; first++ {
				if err := do(first); err != nil {
					return err
				}
			}
			if _, err := r.commit.Exec(); err != nil {
				return err
			}
		}
		return nil
	}
}

func (r *rawSQLite) insertOne(id string) error {
	now := time.Now().UnixMilli()
	_, err := r.insert.Exec(id, 1, 1, r.hash, "", r.value, now, later(now), muchLater(now), idleMillis)
	return err
}

const idleMillis = int64(coatcheck.DefaultIdleTimeout / time.Millisecond)

func later(now int64) int64     { return now + idleMillis }
func muchLater(now int64) int64 { return now + coatcheck.DefaultAbsoluteTimeout.Milliseconds() }
