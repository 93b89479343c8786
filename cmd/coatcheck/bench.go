package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/coatcheck/coatcheck/internal/loadgen"
)

const (
	// benchSlack is for how long what a kill -9 leaves in Redis outlives the run, at
	// most.
	benchSlack = 5 * time.Minute

	// maxFilling leaves the first sessions enough of the slack to be measured.
	maxFilling = benchSlack / 2

	maxBenchTime = 30 * 24 * time.Hour
)

// benchCommand measures a store under load. It has a prefix of its own in Redis, and
// no default store, nor that of a service's environment: so nobody's sessions are near
// it by chance.
type benchCommand struct {
	Store       string `env:"COATCHECK_BENCH_STORE" placeholder:"STORE" help:"The store to measure, required: redis://[USER:PASSWORD@]HOST:PORT[/DB], memory:, or sqlite:PATH, a file that does not exist yet."`
	RedisPrefix string `default:"bench:" env:"COATCHECK_BENCH_REDIS_PREFIX" placeholder:"TEXT" help:"What the names of its keys in Redis begin with; not that of a service, whose memory would hear of each change (default ${default})."`
	storeFlags
	managerFlags
	Duration   time.Duration `default:"10s" env:"COATCHECK_BENCH_DURATION" placeholder:"DURATION" help:"How long to measure (default ${default})."`
	Warmup     time.Duration `default:"1s" env:"COATCHECK_BENCH_WARMUP" placeholder:"DURATION" help:"How long to do the same before, unmeasured (default ${default})."`
	Goroutines int           `default:"64" env:"COATCHECK_BENCH_GOROUTINES" placeholder:"N" help:"How many operations may be under way at once (default ${default})."`
	Nodes      int           `default:"1" env:"COATCHECK_BENCH_NODES" placeholder:"N" help:"How many nodes share the load, each with a near cache and a connection of its own, in this one process (default ${default})."`
	Sessions   int           `default:"10000" env:"COATCHECK_BENCH_SESSIONS" placeholder:"N" help:"How many sessions there are to be read and changed (default ${default})."`
	ValueBytes int           `default:"100" env:"COATCHECK_BENCH_VALUE_BYTES" placeholder:"BYTES" help:"How long their values are, as JSON (default ${default})."`
	Mix        loadgen.Mix   `default:"read=80,change=20" env:"COATCHECK_BENCH_MIX" placeholder:"MIX" help:"Which share of the operations is of which kind: read, change, update, create, refresh, delete (default ${default})."`
	Zipf       float64       `default:"0" env:"COATCHECK_BENCH_ZIPF" placeholder:"S" help:"How much some sessions are used more than others: the k-th most popular in proportion to 1/k^S. Above 1 and at most 100, or 0 for all alike (default ${default})."`
	Rate       float64       `default:"0" env:"COATCHECK_BENCH_RATE" placeholder:"N" help:"Begin so many operations a second, in total, and measure from when each was due; 0 to begin the next when the last is done (default ${default})."`
	Format     string        `default:"table" enum:"table,json" env:"COATCHECK_BENCH_FORMAT" placeholder:"FORMAT" help:"table or json (default ${default})."`
	Keep       bool          `env:"COATCHECK_BENCH_KEEP" help:"Do not delete the sessions, or the file, at the end."`
}

// Help implements kong.HelpProvider.
func (benchCommand) Help() string {
	return `It makes sessions of its own, uses them, and deletes them at the end, also when it is interrupted. Progress goes to standard error, results to standard output.

Without --rate the loop is closed: each goroutine begins an operation when its last one is done, so that a store that stalls is asked less meanwhile, and the quantiles look better than what users would see who do not wait for each other. With --rate it is open.

docs/BENCH.md says what the figures mean.`
}

// Run measures until the time is over, or ctx ends.
func (c *benchCommand) Run(ctx context.Context, std streams) error {
	if err := c.check(); err != nil {
		return err
	}
	signal.Ignore(syscall.SIGPIPE)       // so that a write fails where it would kill
	if !signal.Ignored(syscall.SIGHUP) { // or nohup has it go on
		hungUp, stop := signal.NotifyContext(ctx, syscall.SIGHUP)
		defer stop()
		ctx = hungUp
	}
	// The first signal has it clean up; a second one ends it at once, unless it is
	// SIGHUP, of which a terminal that closes sends several.
	defer context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt, syscall.SIGTERM) })()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	screen := newScreen(std.err, cancel)
	b, err := c.open(ctx, screen)
	if err != nil {
		return err
	}
	screen.printf("%s", c.announcement(b.storeName))
	report, err := b.measure(ctx)
	if report != nil { // at once: to clean up may take long, and somebody may not wait for it
		err = errors.Join(err, report.write(std.out, c.Format))
	}
	return errors.Join(err, b.clear(), b.close(), screen.failure())
}

// check names all that is wrong with the settings at once.
func (c *benchCommand) check() error {
	var faults []error
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(c.Store == "", "--store is missing: name the store to measure: redis://HOST:PORT, sqlite:PATH of a new file, or memory:")
	fault(c.Duration <= 0 || c.Duration > maxBenchTime, "--duration is %v: must be positive, and at most %v", c.Duration, maxBenchTime)
	fault(c.Warmup < 0 || c.Warmup > maxBenchTime, "--warmup is %v: must not be negative, and at most %v", c.Warmup, maxBenchTime)
	fault(c.Goroutines < 1, "--goroutines is %d: must be at least 1", c.Goroutines)
	fault(c.Nodes < 1, "--nodes is %d: must be at least 1", c.Nodes)
	fault(c.Nodes > 1 && c.storeKind() == "memory", "--nodes is %d: memory: is in this process, and has but one", c.Nodes)
	fault(c.Nodes > c.Goroutines && c.Goroutines > 0, "--nodes is %d: must be at most --goroutines, which is %d, or some would have no load", c.Nodes, c.Goroutines)
	fault(c.Sessions < 1, "--sessions is %d: must be at least 1", c.Sessions)
	fault(c.ValueBytes < loadgen.MinValueBytes || c.ValueBytes > c.MaxValueBytes,
		"--value-bytes is %d: must be from %d to --max-value-bytes, which is %d", c.ValueBytes, loadgen.MinValueBytes, c.MaxValueBytes)
	fault(c.Zipf != 0 && !(c.Zipf > 1 && c.Zipf <= 100), "--zipf is %v: must be above 1 and at most 100, or 0 to use all sessions alike", c.Zipf)
	fault(c.Rate != 0 && !(c.Rate >= 0.001 && c.Rate <= 1e9), "--rate is %v: must be from 0.001 to 1e9, or 0 for a closed loop", c.Rate)
	return errors.Join(faults...)
}

// lifetime is the idle timeout of the sessions.
func (c *benchCommand) lifetime() time.Duration { return c.Warmup + c.Duration + benchSlack }

// storeKind is what --store begins with.
func (c *benchCommand) storeKind() string {
	kind, _, _ := strings.Cut(c.Store, ":")
	return kind
}

// announcement says what is about to happen to the store.
func (c *benchCommand) announcement(store string) string {
	return fmt.Sprintf(`This puts load on %s: %s, for %v. Others who use it will feel that.
It makes %s, touches no others, and %s.
`, store, c.load(), c.Warmup+c.Duration, number(c.Sessions, "session"), c.ending())
}

// ending says what becomes of the sessions.
func (c *benchCommand) ending() string {
	switch kind := c.storeKind(); {
	case kind == "memory":
		return "they end with this process"
	case kind == "sqlite" && c.Keep:
		return "leaves the file there (--keep)"
	case kind == "sqlite":
		return "removes the file at the end, or after Ctrl-C; a kill -9 leaves it, with -wal and -shm"
	case c.Keep:
		return fmt.Sprintf("leaves them there (--keep), where they expire within %v", c.lifetime())
	default:
		return fmt.Sprintf("deletes them at the end, or after Ctrl-C; what is left expires within %v", c.lifetime())
	}
}

// load describes the load in a few words.
func (c *benchCommand) load() string {
	loop := "closed loop"
	if c.Rate > 0 {
		loop = fmt.Sprintf("%v operations/s", c.Rate)
	}
	return fmt.Sprintf("%v, %s, %s on %s", c.Mix, loop, number(c.Goroutines, "goroutine"), number(c.Nodes, "node"))
}

func number(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}
