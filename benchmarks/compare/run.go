package compare

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/coatcheck/coatcheck/benchmarks/rivals"
)

// The subjects with which all are compared; of those that ask Redis at each read,
// one that does so, too.
const (
	yardstick       = "coatcheck-redis"
	askingYardstick = "coatcheck-redis-uncached"
)

// Config says what to measure.
type Config struct {
	Command    string // for the report
	Subjects   []rivals.Subject
	Arenas     []Arena
	Rounds     int
	RoundTime  time.Duration
	Logouts    int           // of a round
	WebRounds  int           // of wrk
	WebTime    time.Duration // of a round, in whole seconds
	Requests   int           // of redis-benchmark
	Benchmarks []Benchmark   // Go benchmarks for the targets
	StartRedis func() string // runs a server until the end of the run and returns its address
	Folder     string        // for files that are of no use afterwards
	Say        func(line string)
}

// run is a run under way.
type run struct {
	Config
	players []*player
	servers []*server
	results Results
}

// Run measures, and returns what came out.
func Run(ctx context.Context, config Config) (*Results, error) {
	wrk, err := findWrk(config.Folder)
	if err != nil {
		return nil, err
	}
	r := &run{Config: config}
	defer r.end()
	if err := r.begin(); err != nil {
		return nil, err
	}
	var steps []step // the Go benchmarks first: of all that may fail they come from elsewhere
	for _, b := range r.Benchmarks {
		steps = append(steps, step{"go test -bench '" + b.Pattern + "'", b.expects, func() error {
			processor, err := b.run(ctx, r.results.Metrics)
			r.results.About.Processor = processor
			return err
		}})
	}
	steps = append(steps, step{"the messages of a change", 5 * time.Second, func() error {
		return countMessages(ctx, r.results.Metrics)
	}})
	steps = append(steps, r.tournaments()...)
	steps = append(steps, step{"the floors of Redis", 10 * time.Second, func() error { return r.floors(ctx) }})
	steps = append(steps, r.web(ctx, wrk)...)
	if err := (progress{r.Say, time.Now}).through(steps); err != nil {
		return nil, err
	}
	return &r.results, nil
}

// begin starts a server for each subject that needs one, and one for the floors.
func (r *run) begin() error {
	for _, subject := range r.Subjects {
		p := &player{subject: subject}
		if subject.Redis {
			var err error
			if p.server, err = r.startRedis(); err != nil {
				return err
			}
		}
		r.players = append(r.players, p)
	}
	r.results.describe(r.Subjects)
	for i, s := range r.results.Subjects {
		r.results.Subjects[i].Version = rivals.Version(s.Module)
	}
	aside, err := r.startRedis()
	if err != nil {
		return err
	}
	version, err := aside.version()
	if err != nil {
		return err
	}
	r.results.Metrics = Metrics{}
	r.results.About = About{
		Date: time.Now().UTC().Format(time.DateOnly), Command: r.Command,
		System: runtime.GOOS + "/" + runtime.GOARCH, Processors: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0),
		Go: runtime.Version(), Redis: version,
	}
	return nil
}

// describe says of the subjects what their adapters say. Their versions stay, if there
// are any: they are of what was measured.
func (r *Results) describe(subjects []rivals.Subject) {
	versions := map[string]string{}
	for _, s := range r.Subjects {
		versions[s.Name] = s.Version
	}
	r.Subjects = nil
	for _, s := range subjects {
		r.Subjects = append(r.Subjects, Subject{
			Name: s.Name, Module: s.Module, Version: versions[s.Name],
			Configured: s.Configured, Reads: s.Reads, Gives: s.Gives, MaxValue: s.MaxValue,
		})
	}
}

func (r *run) startRedis() (*server, error) {
	s, err := dial(r.StartRedis())
	if err != nil {
		return nil, err
	}
	r.servers = append(r.servers, s)
	return s, nil
}

func (r *run) end() {
	for _, s := range r.servers {
		s.client.Close()
	}
}

// About what it takes besides the rounds: those of the warm-up, and all that comes
// before and after a round.
const (
	warmUps   = 3
	aroundLap = 10 * time.Millisecond
)

// tournaments returns a step for each work in each arena.
func (r *run) tournaments() []step {
	var steps []step
	for _, arena := range r.Arenas {
		for at, name := range arena.Works {
			laps := time.Duration((r.roundsOf(works[name]) + warmUps) * len(r.players))
			steps = append(steps, step{
				name:    fmt.Sprintf("%s: %s, %s", name, size(arena.Value), crowded(arena.Clients)),
				expects: laps * (r.RoundTime + aroundLap),
				run: func() error {
					if at == 0 {
						if err := r.openAll(arena); err != nil {
							return err
						}
					}
					err := r.tournament(arena, works[name])
					if at == len(arena.Works)-1 || err != nil {
						err = errors.Join(err, r.closeAll())
					}
					return err
				},
			})
		}
	}
	return steps
}

// roundsOf is three times as many for reads: what takes so little is disturbed more easily.
func (r *run) roundsOf(w work) int {
	if w.name == Read {
		return 3 * r.Rounds
	}
	return r.Rounds
}

// openAll opens those that can hold a value of the arena.
func (r *run) openAll(arena Arena) error {
	for _, p := range r.players {
		if p.subject.MaxValue > 0 && p.subject.MaxValue < arena.Value {
			continue
		}
		if err := p.open(arena); err != nil {
			return errors.Join(err, r.closeAll())
		}
	}
	return nil
}

func (r *run) closeAll() (err error) {
	for _, p := range r.players {
		err = errors.Join(err, p.close())
	}
	return err
}

func (r *run) tournament(arena Arena, w work) error {
	t := tournament{rounds: r.roundsOf(w), roundTime: r.RoundTime, now: time.Now}
	for _, p := range r.players {
		if p.app == nil {
			continue
		}
		t.sides = append(t.sides, p.enter(w, arena.Clients, r.Logouts))
	}
	laps, err := t.play()
	if err != nil {
		return err
	}
	if err := r.record(arena, w.name, yardstick, t.sides, laps); err != nil || w.name != Read {
		return err
	}
	var sides []*side
	var asking [][]lap
	for i, s := range t.sides {
		if asks(laps[i]) {
			sides, asking = append(sides, s), append(asking, laps[i])
		}
	}
	return r.record(arena, ReadAsking, askingYardstick, sides, asking)
}

// asks reports whether a side has sent Redis a command for each operation.
func asks(laps []lap) bool {
	return !slices.ContainsFunc(laps, func(l lap) bool { return l.commands < 1 })
}

func (r *run) record(arena Arena, work, yardstick string, sides []*side, laps [][]lap) error {
	all, err := standings(sides, laps, yardstick)
	if err != nil {
		return err
	}
	r.results.Cells = append(r.results.Cells, Cell{work, arena.Value, arena.Clients, yardstick, all})
	return nil
}

func (r *run) floors(ctx context.Context) (err error) {
	r.results.Floors, err = floors(ctx, r.servers[len(r.servers)-1].addr, r.Requests)
	return err
}

// web returns a step for each round of wrk.
func (r *run) web(ctx context.Context, w *wrk) []step {
	players := slices.DeleteFunc(slices.Clone(r.players), func(p *player) bool { return p.subject.Direct })
	v := &visits{wrk: w, lasts: r.WebTime}
	var steps []step
	for round := range r.WebRounds {
		steps = append(steps, step{
			name:    fmt.Sprintf("wrk, round %d of %d", round+1, r.WebRounds),
			expects: time.Duration(len(players)) * r.WebTime,
			run: func() (err error) {
				if round == 0 {
					if err := v.open(ctx, players); err != nil {
						return err
					}
				}
				err = v.round(ctx, round)
				if round < r.WebRounds-1 && err == nil {
					return nil
				}
				if err := errors.Join(err, v.close()); err != nil {
					return err
				}
				r.results.Web, err = v.standings()
				return err
			},
		})
	}
	return steps
}
