package rivals

import (
	"runtime"
	"testing"
)

// TestClosedGivesMemoryBack: else all who come later pay for what is left, with each
// garbage collection.
func TestClosedGivesMemoryBack(t *testing.T) {
	const sessions, size = 5000, 1 << 10
	for _, subject := range All() {
		if subject.Redis {
			continue
		}
		t.Run(subject.Name, func(t *testing.T) {
			value, err := Sample(size)
			if err != nil {
				t.Fatal(err)
			}
			before := heap()
			app, err := subject.Open(Env{Value: value, Parallel: 1})
			if err != nil {
				t.Fatal(err)
			}
			client := app.Client()
			for range sessions {
				if err := client.Create(); err != nil {
					t.Fatal(err)
				}
			}
			client = nil
			if err := app.Close(); err != nil {
				t.Fatal(err)
			}
			app = nil
			if left := heap() - before; left > sessions*size/4 {
				t.Errorf("%d KiB are left of %d sessions of %d bytes", left>>10, sessions, size)
			}
		})
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // what pools held over the first
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
