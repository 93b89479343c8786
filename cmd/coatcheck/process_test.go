package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary be the service: with runAsService set it is
// the command itself, in a process of its own that can be killed.
func TestMain(m *testing.M) {
	if os.Getenv(runAsService) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

const runAsService = "COATCHECK_TEST_RUN_AS_SERVICE"

// process is a running `coatcheck serve`.
type process struct {
	url      string
	greeting string // all that it printed on standard output
	cmd      *exec.Cmd
	log      lockedBuffer
}

var servesOn = regexp.MustCompile(`serves on (http://\S+)`)

// start runs `coatcheck serve` on a free port until the end of the test.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Env = append(os.Environ(), runAsService+"=1")
	return startCommand(t, cmd)
}

// startCommand runs a command that is `coatcheck serve` in some form.
func startCommand(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd}
	p.cmd.Stderr = &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // go run hands no signal on
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)

	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		p.greeting += lines.Text() + "\n"
		if m := servesOn.FindStringSubmatch(lines.Text()); m != nil {
			p.url = m[1]
		}
		if strings.Contains(lines.Text(), "-X DELETE") { // the last line
			go func() { _, _ = io.Copy(io.Discard, stdout) }()
			return p
		}
	}
	t.Fatalf("the service does not start:\n%s\n%s", p.greeting, p.log.String())
	return nil
}

// kill ends the process as kill -9 does.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.signal(syscall.SIGKILL)
		_ = p.cmd.Wait() // reports only that it was killed
	}
}

// stop ends the process as an operator does.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, p.log.String())
	}
}

// signal reaches the process and its children.
func (p *process) signal(signal syscall.Signal) error {
	return syscall.Kill(-p.cmd.Process.Pid, signal)
}

// answer is what the tests look at in a response.
type answer struct {
	Status    int    `json:"-"`
	Text      string `json:"-"`
	Token, ID string
	Rev       uint64
	Value     map[string]any
}

// call makes a request with a bearer token and a JSON body, either of which
// may be empty.
func (p *process) call(ctx context.Context, method, path, token, body string) (answer, error) {
	return p.callAs(ctx, "", method, path, token, body)
}

// callAs is call with a key, which may be empty.
func (p *process) callAs(ctx context.Context, key, method, path, token, body string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, p.url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	if key != "" {
		req.Header.Set("X-API-Key", key)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	a := answer{Status: res.StatusCode, Text: string(text)}
	if len(text) > 0 && err == nil {
		err = json.Unmarshal(text, &a)
	}
	return a, err
}

var client = &http.Client{
	Timeout:   30 * time.Second,
	Transport: &http.Transport{MaxIdleConnsPerHost: 64},
}

// must is call for a request that has to be answered with this status.
func (p *process) must(t *testing.T, status int, method, path, token, body string) answer {
	t.Helper()
	a, err := p.call(t.Context(), method, path, token, body)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", method, path, err, p.log.String())
	}
	if a.Status != status {
		t.Fatalf("%s %s: status %d, want %d: %s", method, path, a.Status, status, a.Text)
	}
	return a
}

func (p *process) create(t *testing.T, value string) answer {
	t.Helper()
	return p.must(t, 201, "POST", "/v1/sessions", "", fmt.Sprintf(`{"value":%s}`, value))
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
