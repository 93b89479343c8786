package main

import (
	"bufio"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck/internal/redistest"
)

// benchProcess is a running `coatcheck bench`, which goes on for an hour.
type benchProcess struct {
	cmd      *exec.Cmd
	out, log lockedBuffer
}

func benchProcessCommand(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], append([]string{"bench", "--duration", "1h", "--format", "json"}, args...)...)
	cmd.Env = append(os.Environ(), runAsService+"=1")
	return cmd
}

func startBench(t *testing.T, args ...string) *benchProcess {
	t.Helper()
	p := &benchProcess{cmd: benchProcessCommand(args...)}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			p.end(t, syscall.SIGKILL)
		}
	})
	return p
}

// measures waits until the measurement has begun.
func (p *benchProcess) measures(t *testing.T) {
	t.Helper()
	eventually(t, "it measures", func() bool { return strings.Contains(p.log.String(), "measuring: ") })
}

// end sends the signal and waits for the process.
func (p *benchProcess) end(t *testing.T, signal syscall.Signal) (code int) {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait() // the code says it
	return p.cmd.ProcessState.ExitCode()
}

// TestInterruptedBenchCleansUp prints what it has by then.
func TestInterruptedBenchCleansUp(t *testing.T) {
	redis := redistest.Start(t)
	p := startBench(t, "--store", redis.URL(), "--mix", "read=1,create=1")
	p.measures(t)
	if size(t, redis) < 10_000 {
		t.Error("there are no sessions")
	}
	if code := p.end(t, syscall.SIGINT); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.log.String())
	}
	if r := parseReport(t, p.out.String()); !r.Interrupted || r.All.Count == 0 || r.All.Errors > 0 || r.Elapsed >= time.Hour {
		t.Errorf("%+v", r)
	}
	if n := size(t, redis); n > 0 {
		t.Errorf("%d keys are left", n)
	}
}

// TestBenchCleansUpWhenItsTerminalIsLost: SIGHUP is to it what SIGINT is.
func TestBenchCleansUpWhenItsTerminalIsLost(t *testing.T) {
	redis := redistest.Start(t)
	p := startBench(t, "--store", redis.URL())
	p.measures(t)
	if code := p.end(t, syscall.SIGHUP); code != 0 || !parseReport(t, p.out.String()).Interrupted {
		t.Errorf("exit code %d\n%s", code, p.log.String())
	}
	if n := size(t, redis); n > 0 {
		t.Errorf("%d keys are left", n)
	}
}

// TestBenchCleansUpWhenItsPipeIsClosed: nobody would see how far it is, as with
// "2>&1 | head -1".
func TestBenchCleansUpWhenItsPipeIsClosed(t *testing.T) {
	redis := redistest.Start(t)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := benchProcessCommand("--store", redis.URL())
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // if it does not end
	_ = write.Close()
	lines := bufio.NewScanner(read)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "measuring: ") {
	}
	n := size(t, redis)
	_ = read.Close()
	_ = cmd.Wait() // the code says it
	if code, left := cmd.ProcessState.ExitCode(), size(t, redis); code != 1 || n == 0 || left > 0 {
		t.Errorf("exit code %d, %d of %d keys are left", code, left, n)
	}
}

// TestBenchInterruptedBeforehand has nothing to print.
func TestBenchInterruptedBeforehand(t *testing.T) {
	redis := redistest.Start(t)
	p := startBench(t, "--store", redis.URL(), "--sessions", "10000000")
	eventually(t, "it has begun", func() bool { return size(t, redis) > 0 })
	if code := p.end(t, syscall.SIGTERM); code != 1 || !strings.Contains(p.log.String(), "interrupted before anything was measured") {
		t.Errorf("exit code %d\n%s", code, p.log.String())
	}
	if p.out.String() != "" || size(t, redis) > 0 {
		t.Errorf("%d keys are left, and it prints %s", size(t, redis), p.out.String())
	}
}

// TestKilledBenchLeavesNothingForLong: whatever is left expires.
func TestKilledBenchLeavesNothingForLong(t *testing.T) {
	redis := redistest.Start(t)
	p := startBench(t, "--duration", "1m", "--store", redis.URL(), "--mix", "read=1,change=1,create=1,delete=1")
	p.measures(t)
	p.end(t, syscall.SIGKILL)
	client := redis.Client()
	keys, err := client.Do(t.Context(), client.B().Keys().Pattern("*").Build()).AsStrSlice()
	if err != nil || len(keys) == 0 {
		t.Fatalf("%d keys are left, error %v", len(keys), err)
	}
	for _, key := range keys {
		ttl, err := client.Do(t.Context(), client.B().Pttl().Key(key).Build()).AsInt64()
		if err != nil || ttl <= 0 || ttl > (benchSlack+2*time.Minute).Milliseconds() {
			t.Fatalf("%s expires in %d ms (error %v)", key, ttl, err)
		}
	}
}

// TestBenchOutlivesItsStore: what failed is told, and nothing waits for a server that
// is gone. No token is in what it says.
func TestBenchOutlivesItsStore(t *testing.T) {
	redis := redistest.Start(t)
	p := startBench(t, "--store", redis.URL())
	p.measures(t)
	redis.Kill()
	eventually(t, "operations fail", func() bool {
		m := regexp.MustCompile(`(\d+) errors?\n$`).FindStringSubmatch(p.log.String())
		return m != nil && m[1] != "0"
	})
	if code := p.end(t, syscall.SIGINT); code != 1 || !strings.Contains(p.log.String(), "10000 of the sessions are left, until they expire, by ") {
		t.Errorf("exit code %d\n%s", code, p.log.String())
	}
	r := parseReport(t, p.out.String())
	if r.All.Errors == 0 || len(r.Errors) == 0 || r.Errors[0].Class != "unavailable" || !strings.Contains(r.Errors[0].First, "store unavailable") {
		t.Errorf("%+v", r)
	}
	if text := p.out.String() + p.log.String(); regexp.MustCompile(`[\w-]{44}`).MatchString(text) {
		t.Errorf("there is a token in\n%s", text)
	}
}
