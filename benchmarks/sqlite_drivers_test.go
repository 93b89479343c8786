package benchmarks

import (
	"testing"

	_ "github.com/ncruces/go-sqlite3/driver" // the driver "sqlite3"
)

// BenchmarkSQLiteDrivers compares the driver that sqlstore uses, as ours, with
// the other one that needs no C compiler.
func BenchmarkSQLiteDrivers(b *testing.B) {
	modernc := openRawSQLite(b, "sqlite")
	ncruces := openRawSQLite(b, "sqlite3")
	for _, r := range []*rawSQLite{modernc, ncruces} {
		if err := r.fill(); err != nil {
			b.Fatal(err)
		}
	}
	for _, operation := range []struct {
		name string
		of   func(*rawSQLite) workload
	}{
		{"select", func(r *rawSQLite) workload { return r.read(1) }},
		{"insert", func(r *rawSQLite) workload { return r.create(1) }},
		{"insert-64", func(r *rawSQLite) workload { return r.create(maxGoroutines) }},
	} {
		contest{ours: operation.of(modernc), rival: operation.of(ncruces)}.run(b, operation.name, "ncruces")
	}
}
