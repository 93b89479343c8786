package chaos

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

// What the injector does, besides what the proxies do.
const (
	killNormal    = "kill normal connections"
	killPubSub    = "kill pubsub connections"
	stopServer    = "stop and continue server"
	restartServer = "kill and restart server"
	deleteAll     = "FLUSHALL"
	stopNode      = "stop and continue node"
)

// injector does harm to the server and the nodes. It counts what it does.
type injector struct {
	*world
	plan   plan
	counts map[string]int
}

// harmServer goes on until the time has come. It must be called by the test's
// own goroutine, which alone may end the test if the server does not come back.
func (in *injector) harmServer(until time.Time) {
	random := random(in.plan.seed + 1)
	deck := NewDeck(random, in.plan.server...)
	for pauseUntil(until, in.plan.serverPause.Pick(random)) {
		fault := deck.Deal()
		switch fault {
		case killNormal:
			in.kill("normal")
		case killPubSub:
			in.kill("pubsub")
		case stopServer:
			in.server.Pause()
			time.Sleep(in.plan.stop.Pick(random)) // the fault itself
			in.server.Resume()
		case restartServer:
			in.server.Kill()
			time.Sleep(in.plan.stop.Pick(random) / 4) // the fault itself
			if err := in.server.Restart(); err != nil {
				in.t.Fatal(err)
			}
			in.ping()
		case deleteAll:
			in.deleteAll()
		default:
			continue
		}
		in.counts[fault]++
	}
}

// harmNodes stops one node after the other until the time has come.
func (in *injector) harmNodes(until time.Time) (stopped int) {
	random := random(in.plan.seed + 2)
	for pauseUntil(until, in.plan.nodePause.Pick(random)) {
		if err := in.office.nodes[random.IntN(len(in.office.nodes))].pause(in.plan.stop.Pick(random)); err != nil {
			in.t.Error(err)
			return stopped
		}
		stopped++
	}
	return stopped
}

// kill cuts connections where the server sees them.
func (in *injector) kill(kind string) {
	in.do("CLIENT", "KILL", "TYPE", kind)
}

// ping has the client notice that its connection to the former process is gone.
func (in *injector) ping() { in.do("PING") }

func (in *injector) do(command ...string) {
	ctx, cancel := context.WithTimeout(in.t.Context(), outsideTimeout)
	defer cancel()
	for {
		err := in.admin.Do(ctx, in.admin.B().Arbitrary(command...).Build()).Error()
		if _, refused := rueidis.IsRedisErr(err); refused || ctx.Err() != nil {
			in.t.Errorf("%q: %v", command, err)
			return
		}
		if err == nil {
			return
		}
	}
}

// pauseUntil waits between two faults, and reports whether there is time for
// another.
func pauseUntil(end time.Time, pause time.Duration) bool {
	time.Sleep(min(pause, time.Until(end)))
	return time.Now().Before(end)
}
