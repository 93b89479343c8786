package benchmarks

import (
	"fmt"
	"slices"
	"testing"

	"github.com/coatcheck/coatcheck/benchmarks/rivals"
	"github.com/coatcheck/coatcheck/internal/redistest"
)

// yardstick names the subject with which all are compared.
const yardstick = "coatcheck-redis"

// BenchmarkMiddleware serves requests that read the value of an existing session,
// of 100 bytes, without a network between client and handler.
func BenchmarkMiddleware(b *testing.B) {
	subjects := rivals.All()
	at := slices.IndexFunc(subjects, func(s rivals.Subject) bool { return s.Name == yardstick })
	for _, subject := range subjects {
		b.Run(subject.Name, func(b *testing.B) {
			clients := signIn(b, subject)
			rivalClients := signIn(b, subjects[at])
			for _, goroutines := range []int{2, maxGoroutines} {
				contest{
					ours:  reads(goroutines, clients),
					rival: reads(goroutines, rivalClients),
					level: true,
				}.runAs(b, fmt.Sprintf("goroutines-%d", goroutines), reportTimes)
			}
		})
	}
}

// reportTimes says how many times as long as the yardstick a request takes.
func reportTimes(b *testing.B, r *result) {
	b.ReportMetric(float64(r.rival.Nanoseconds())/float64(r.ops), yardstick+"-ns/op")
	b.ReportMetric(1/r.quantile(0.5), "times-"+yardstick)
	b.ReportMetric(1/r.quantile(0.75), "times-"+yardstick+"-q1")
	b.ReportMetric(1/r.quantile(0.25), "times-"+yardstick+"-q3")
}

// TestMiddlewareSubjects makes sure that the benchmark has its yardstick, and that
// all of its clients have sessions at once.
func TestMiddlewareSubjects(t *testing.T) {
	measured := false
	for _, subject := range rivals.All() {
		measured = measured || subject.Name == yardstick
		t.Run(subject.Name, func(t *testing.T) {
			if err := reads(maxGoroutines, signIn(t, subject))(0, 2*maxGoroutines); err != nil {
				t.Error(err)
			}
		})
	}
	if !measured {
		t.Errorf("%s is not among the subjects", yardstick)
	}
}

// signIn opens a subject, on a Redis of its own if it needs one, and has as many
// clients as there may be goroutines begin a session each.
func signIn(t testing.TB, subject rivals.Subject) []rivals.Client {
	t.Helper()
	value, err := rivals.Sample(100)
	if err != nil {
		t.Fatal(err)
	}
	env := rivals.Env{Value: value, Parallel: maxGoroutines}
	if subject.Redis {
		env.Redis = redistest.Start(t).Addr
	}
	app, err := subject.Open(env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Close() })
	clients := make([]rivals.Client, maxGoroutines)
	for i := range clients {
		clients[i] = app.Client()
		if err := clients[i].Create(); err != nil {
			t.Fatal(err)
		}
	}
	return clients
}

// reads gives each goroutine a client of its own, for spread deals the numbers so
// that no two goroutines share a remainder.
func reads(goroutines int, clients []rivals.Client) workload {
	return spread(goroutines, func(i int) error { return clients[i%goroutines].Read() })
}
