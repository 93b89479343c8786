package rivals

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck/internal/redistest"
)

// atOnce is how many clients a test has.
const atOnce = 8

// sizes of values in bytes of JSON.
var sizes = []int{100, 1 << 10, 16 << 10}

// keepers returns the subjects that keep sessions: all but the bare handlers.
func keepers() []Subject {
	var found []Subject
	for _, s := range All() {
		if s.Name != bareHandler.Name && s.Name != bareContext.Name {
			found = append(found, s)
		}
	}
	return found
}

// newEnv returns what a subject needs to be opened. Its sessions begin with a value
// of a size, counted to views.
func newEnv(t *testing.T, s Subject, size, views int) Env {
	t.Helper()
	value, err := Sample(size)
	if err != nil {
		t.Fatal(err)
	}
	value.Views = views
	env := Env{Value: value, Parallel: atOnce}
	if s.Redis {
		env.Redis = redistest.Start(t).Addr
	}
	return env
}

func open(t *testing.T, s Subject, env Env) App {
	t.Helper()
	app, err := s.Open(env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := app.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if s.Name == goSessionMemory.Name {
		// Its Close does no more than stop the sweeper, which reads deadlines while
		// requests write them: a data race of theirs, each second.
		must(t, app.Close)
	}
	return app
}

// must fails the test unless each step succeeds.
func must(t *testing.T, steps ...func() error) {
	t.Helper()
	for i, step := range steps {
		if err := step(); err != nil {
			t.Fatalf("step %d: %v", i+1, err)
		}
	}
}

// finds checks what a client's read comes to: nil or ErrMissing. A subject that lags
// may take a moment.
func finds(t *testing.T, s Subject, c Client, want error) {
	t.Helper()
	err := c.Read()
	for deadline := time.Now().Add(10 * time.Second); s.Lags && !errors.Is(err, want) && time.Now().Before(deadline); {
		runtime.Gosched()
		err = c.Read()
	}
	if !errors.Is(err, want) {
		t.Fatalf("the read: error %v, want %v", err, want)
	}
}

// twin returns another client that shows the same cookie, or has the same key, after
// alter has seen to it.
func twin(t *testing.T, c Client, alter func(string) string) Client {
	t.Helper()
	switch c := c.(type) {
	case *visitor:
		other := newVisitor(c.handler)
		name, value, _ := strings.Cut(c.cookie[0], "=")
		other.cookie = []string{name + "=" + alter(value)}
		return other
	case *fastVisitor:
		other := newFastVisitor(c.handler)
		other.cookie.CopyTo(&c.cookie)
		other.cookie.SetValue(alter(string(c.cookie.Value())))
		return other
	case *bareRedisClient:
		return &bareRedisClient{c.app, alter(c.key)}
	case *bareOtterClient:
		return &bareOtterClient{c.app, alter(c.key)}
	}
	t.Fatalf("no twin of a %T", c)
	return nil
}

func same(value string) string { return value }

// forged returns a value as long, of which one character in the middle is another.
func forged(value string) string {
	middle := len(value) / 2
	other := "A"
	if value[middle] == 'A' {
		other = "B"
	}
	return value[:middle] + other + value[middle+1:]
}
