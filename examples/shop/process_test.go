package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary be the shop: with runAsShop set it is the command
// itself, in a process of its own that can be killed.
func TestMain(m *testing.M) {
	if os.Getenv(runAsShop) != "" {
		main()
		return
	}
	code := m.Run()
	closeBrowser()
	os.Exit(code)
}

const runAsShop = "COATCHECK_TEST_RUN_AS_SHOP"

// process is a running shop.
type process struct {
	url string
	cmd *exec.Cmd
	log lockedBuffer
}

var openAt = regexp.MustCompile(`^The shop is open: (http://\S+)`)

// start opens a shop until the end of the test. Where no address is given it is at
// a free port.
func start(t *testing.T, store string, listen ...string) *process {
	t.Helper()
	listen = append(listen, "127.0.0.1:0")
	p := &process{cmd: exec.Command(os.Args[0], "-listen", listen[0], "-store", store)}
	p.cmd.Env = append(os.Environ(), runAsShop+"=1")
	p.cmd.Stderr = &p.log
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if strings.Contains(p.log.String(), "DATA RACE") {
			t.Errorf("the shop has a data race:\n%s", p.log.String())
		}
	})
	// A shop that says nothing is ended, and with it the reading.
	watchdog := time.AfterFunc(30*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer watchdog.Stop()
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if m := openAt.FindStringSubmatch(lines.Text()); m != nil {
			p.url = m[1]
			go func() { _, _ = io.Copy(io.Discard, stdout) }()
			return p
		}
	}
	t.Fatalf("the shop does not open:\n%s", p.log.String())
	return nil
}

// addr is where the shop listens.
func (p *process) addr() string { return strings.TrimPrefix(p.url, "http://") }

// kill ends the shop as kill -9 does.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill() // fails only if it has ended
		_ = p.cmd.Wait()         // reports only that it was killed
	}
}

// stop ends the shop as an operator does.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, p.log.String())
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
