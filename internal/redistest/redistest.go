// Package redistest runs real Redis servers for tests and benchmarks.
package redistest

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// startTimeout bounds how long a server may take to answer.
const startTimeout = 20 * time.Second

// Server is a redis-server (or valkey-server) of the test's own, on a free
// port of the loopback interface, with its files in a folder of its own.
type Server struct {
	Addr string // host:port

	t       testing.TB
	command func(host, port string) []string // its arguments
	dir     string
	cmd     *exec.Cmd
}

// Start runs a server until the end of the test, with further arguments as on
// its command line. Where there is no server to run, the test fails and says
// how to install one. The variable COATCHECK_TEST_REDIS names another binary.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	dir := t.TempDir()
	return start(t, dir, func(host, port string) []string {
		return append([]string{"--bind", host, "--port", port, "--dir", dir, "--save", "", "--daemonize", "no"}, args...)
	})
}

func start(t testing.TB, dir string, command func(host, port string) []string) *Server {
	t.Helper()
	s := &Server{t: t, dir: dir, command: command}
	t.Cleanup(s.Kill)
	for attempt := 0; ; attempt++ {
		s.Addr = freeAddr(t)
		err := s.run()
		if err == nil {
			return s
		}
		if attempt == 5 { // somebody else may have taken the port
			t.Fatal(err)
		}
	}
}

// URL names the server as redisstore.Open wants it.
func (s *Server) URL() string { return "redis://" + s.Addr }

// Kill ends the server at once, as a crash would. It keeps its files.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill() // fails only if it has ended
		_ = s.cmd.Wait()         // reports only that it was killed
		s.cmd = nil
	}
}

// Restart runs the server again on the same address and files.
func (s *Server) Restart() error {
	s.Kill()
	return s.run()
}

// Pause stops the process without ending its connections; Resume lets it go on.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig os.Signal) {
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("redistest: signal: %v", err)
	}
}

func (s *Server) run() error {
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return err
	}
	log, err := os.Create(s.dir + "/log")
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command(binary(s.t), s.command(host, port)...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("redistest: %w", err)
	}
	if err := s.waitUntilReady(); err != nil {
		s.Kill()
		text, _ := os.ReadFile(s.dir + "/log")
		return fmt.Errorf("redistest: %s does not answer: %w\n%s", s.Addr, err, text)
	}
	return nil
}

// waitUntilReady polls until the server says in its log that it is ready (it
// might be another process that answers at the port) and answers a PING; it may
// well ask for a password.
func (s *Server) waitUntilReady() error {
	deadline := time.Now().Add(startTimeout)
	for {
		answer, err := s.ping()
		log, _ := os.ReadFile(s.dir + "/log")
		ready := bytes.Contains(log, []byte("Ready to accept connections")) || bytes.Contains(log, []byte("+monitor master"))
		if err == nil && ready {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("answer %q, error %v", answer, err)
		}
		if s.cmd.Process.Signal(syscall.Signal(0)) != nil || exited(s.cmd) {
			return fmt.Errorf("it has ended")
		}
		time.Sleep(2 * time.Millisecond) // between two looks at the condition
	}
}

func (s *Server) ping() (string, error) {
	conn, err := net.DialTimeout("tcp", s.Addr, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return "", err
	}
	return bufio.NewReader(conn).ReadString('\n')
}

// exited reports whether the process has ended, without waiting for it.
func exited(cmd *exec.Cmd) bool {
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WNOHANG, nil)
	return err == nil && pid == cmd.Process.Pid
}

func binary(t testing.TB) string {
	t.Helper()
	names := []string{"redis-server", "valkey-server"}
	if own := os.Getenv("COATCHECK_TEST_REDIS"); own != "" {
		names = []string{own}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("redistest: no %s on this machine: install it with scripts/install-redis.sh", strings.Join(names, " or "))
	return ""
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Client returns a client for what a store does not offer, until the end of
// the test.
func (s *Server) Client() rueidis.Client {
	s.t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.Addr}, DisableCache: true})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(client.Close)
	return client
}

// Dump returns everything that the server holds: keys and values.
func (s *Server) Dump(password string) []byte {
	s.t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.Addr}, Password: password, DisableCache: true})
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	ctx := s.t.Context()
	keys, err := client.Do(ctx, client.B().Keys().Pattern("*").Build()).AsStrSlice()
	if err != nil {
		s.t.Fatal(err)
	}
	var dump []byte
	for _, key := range keys {
		value, err := client.Do(ctx, client.B().Dump().Key(key).Build()).AsBytes()
		if err != nil {
			s.t.Fatal(err)
		}
		dump = append(append(dump, key...), value...)
	}
	return dump
}
