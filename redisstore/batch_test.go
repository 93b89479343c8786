package redisstore

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coatcheck/coatcheck/internal/redistest"
)

// Whoever has no answer yet belongs to the crowd.
func TestClientCountsWhoWaits(t *testing.T) {
	server := redistest.Start(t)
	s, err := Open(t.Context(), server.URL(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	waiting := s.client.(counting).waiting
	server.Pause()
	var calls sync.WaitGroup
	for range 3 {
		calls.Go(func() { _ = s.Ping(t.Context()) })
	}
	for waiting.Load() < 3 {
		runtime.Gosched()
	}
	server.Resume()
	calls.Wait()
	if left := waiting.Load(); left != 0 {
		t.Errorf("%d wait, of none", left)
	}
}

// In a crowd, a connection lets others go first. Both are possible at any time, but not
// ten times in a row.
func TestConnectionYieldsInACrowd(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for waiting, yields := range map[int64]bool{crowd: false, crowd + 1: true} {
		asExpected := 0
		for range 10 {
			if othersGoFirst(t, waiting) == yields {
				asExpected++
			}
		}
		if asExpected == 0 {
			t.Errorf("with %d waiting, others go first: never %v", waiting, yields)
		}
	}
}

// othersGoFirst writes to a connection while another goroutine could run, too.
func othersGoFirst(t *testing.T, waiting int64) bool {
	var count atomic.Int64
	count.Store(waiting)
	var other, first atomic.Bool
	conn := yielding{onWrite{write: func() { first.Store(other.Load()) }}, &count}
	done := make(chan struct{})
	go func() {
		other.Store(true)
		close(done)
	}()
	if n, err := conn.Write([]byte("abc")); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	<-done
	return first.Load()
}

type onWrite struct {
	net.Conn
	write func()
}

func (o onWrite) Write(b []byte) (int, error) {
	o.write()
	return len(b), nil
}
