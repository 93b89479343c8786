package chaos

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// buildNode compiles the node's program, with further arguments for go build.
func buildNode(t *testing.T, args ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "node")
	args = append([]string{"build", "-o", program}, args...)
	if out, err := exec.Command("go", append(args, "./node")...).CombinedOutput(); err != nil {
		t.Fatalf("go %q: %v\n%s", args, err, out)
	}
	return program
}

// node is a running process.
type node struct {
	config NodeConfig
	cmd    *exec.Cmd
	stderr tail
	done   chan struct{} // closed when it has ended, with totals or err
	totals *Totals
	err    error

	mu    sync.Mutex // for orders
	stdin io.WriteCloser
}

// startNode runs the program until it is told to stop, or the test ends. What it
// says until then goes to hear, in order.
func startNode(t *testing.T, program string, config NodeConfig, hear func(*node, Answer)) *node {
	t.Helper()
	n := &node{config: config, cmd: exec.Command(program), done: make(chan struct{})}
	n.cmd.Stderr = &n.stderr
	stdout, err := n.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if n.stdin, err = n.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(n.done)
		heard := n.listen(stdout, hear)
		n.err = errors.Join(n.cmd.Wait(), heard)
	}()
	t.Cleanup(func() {
		_ = n.cmd.Process.Kill() // fails only if it has ended
		<-n.done
	})
	n.order(Order{Config: &config})
	return n
}

// listen hears the node out.
func (n *node) listen(answers io.Reader, hear func(*node, Answer)) error {
	in := json.NewDecoder(answers)
	for {
		var a Answer
		switch err := in.Decode(&a); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			_, _ = io.Copy(io.Discard, answers) // so that it can end
			return fmt.Errorf("answer: %w", err)
		}
		if a.Totals != nil {
			n.totals = a.Totals
			continue
		}
		hear(n, a)
	}
}

// order sends a line. That a node is gone shows when it is told to stop.
func (n *node) order(o Order) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_ = json.NewEncoder(n.stdin).Encode(o)
}

// stop returns what the node says at its end.
func (n *node) stop() (Totals, error) {
	n.order(Order{Stop: true})
	select {
	case <-n.done:
	case <-time.After(20 * time.Second): // an operation takes 2 seconds at most
		_ = n.cmd.Process.Signal(syscall.SIGQUIT) // shows what it is doing
		<-n.done
	}
	switch {
	case n.err != nil:
		return Totals{}, fmt.Errorf("node %d: %w\n%s", n.config.Node, n.err, n.stderr.String())
	case n.totals == nil:
		return Totals{}, fmt.Errorf("node %d: no totals\n%s", n.config.Node, n.stderr.String())
	case n.totals.Errors["unexpected"] > 0:
		return *n.totals, fmt.Errorf("node %d: errors that no fault explains: %q", n.config.Node, n.totals.Unexpected)
	}
	return *n.totals, nil
}

// pause stops the process for so long.
func (n *node) pause(d time.Duration) error {
	if err := n.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return fmt.Errorf("node %d: %w", n.config.Node, err)
	}
	time.Sleep(d) // the fault itself
	if err := n.cmd.Process.Signal(syscall.SIGCONT); err != nil && err != os.ErrProcessDone {
		return fmt.Errorf("node %d: %w", n.config.Node, err)
	}
	return nil
}

// tail keeps the last that was written to it: a node warns a lot while the
// server is down.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailBytes = 16 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-tailBytes):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
