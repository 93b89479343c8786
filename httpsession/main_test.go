package httpsession_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/httpsession"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/redisstore"
)

// serveOn has the test binary be a web server with its sessions on the Redis
// that the variable names.
const serveOn = "COATCHECK_TEST_SERVE_ON"

// byHandlerFunc has the tests of site use HandlerFunc instead of Handler.
var byHandlerFunc = os.Getenv(byHandlerFuncSet) != ""

const byHandlerFuncSet = "COATCHECK_TEST_BY_HANDLER_FUNC"

// TestAllByHandlerFunc runs the other tests once more, with HandlerFunc: in a process of
// its own, since all of them look at one variable.
func TestAllByHandlerFunc(t *testing.T) {
	if byHandlerFunc {
		return // this is that process
	}
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.timeout=10m", "-test.count=1")
	again.Env = append(os.Environ(), byHandlerFuncSet+"=1")
	if out, err := again.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestMain(m *testing.M) {
	if url := os.Getenv(serveOn); url != "" {
		if err := serveAttributes(url); err != nil {
			log.Fatal(err)
		}
		return
	}
	// A client that was closed just now may have a refresh of its topology to
	// sleep for, a second at most.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"))
}

// attributesOn returns a manager of attributes, and a middleware for it.
func attributesOn(store coatcheck.Store) (*coatcheck.Manager[coatcheck.Attributes], *httpsession.Middleware[coatcheck.Attributes], error) {
	manager, err := coatcheck.New(coatcheck.Config[coatcheck.Attributes]{Store: store})
	if err != nil {
		return nil, nil, err
	}
	sessions, err := httpsession.New(manager, httpsession.Config{SaveTimeout: time.Minute}) // the machine may be busy
	return manager, sessions, err
}

// serveAttributes serves PUT /?key=… until its standard input ends, which it
// does at the latest with the process that wrote to it.
func serveAttributes(url string) error {
	store, err := redisstore.Open(context.Background(), url, redisstore.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	_, sessions, err := attributesOn(store)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.URL.Query().Get("key")
		if err := coatcheck.SetAttr(r.Context(), sessions.From(r.Context()), key, os.Getpid()); err != nil {
			sessions.Error(w, r, err)
			return
		}
		_, _ = io.WriteString(w, key)
	}))}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println(listener.Addr())
	return server.Serve(listener)
}

// startProcess runs serveAttributes in a process of its own until the end of the
// test, and returns its address.
func startProcess(t *testing.T, url string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveOn+"="+url)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill() // fails only if it has ended
		_ = cmd.Wait()         // reports only that it was killed
	})
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		t.Fatalf("the process says nothing: %v", lines.Err())
	}
	return lines.Text()
}

// Two hundred requests at once set each another key of one session, in two
// processes: none gets lost, and none fails.
func TestTwoHundredRequestsTwoProcesses(t *testing.T) {
	const requests = 200
	redis := redistest.Start(t)
	addresses := []string{startProcess(t, redis.URL()), startProcess(t, redis.URL())}
	store, err := redisstore.Open(t.Context(), redis.URL(), redisstore.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	manager, sessions, err := attributesOn(store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close() })
	token, err := manager.Generate(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}

	client := &http.Client{Transport: &http.Transport{}, Timeout: 2 * time.Minute}
	t.Cleanup(client.CloseIdleConnections)
	var all sync.WaitGroup
	for i := range requests {
		all.Go(func() {
			key := strconv.Itoa(i)
			r, err := http.NewRequestWithContext(t.Context(), "PUT", "http://"+addresses[i%2]+"/?key="+key, nil)
			if err != nil {
				t.Error(err)
				return
			}
			sessions.Attach(r, token)
			response, err := client.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			replyOf(t, response).wantStatus(t, 200, key)
		})
	}
	all.Wait()

	// A node that has not read the session has nothing of it in memory.
	attributes, err := manager.Get(t.Context(), token)
	wantErr(t, "Get", err, nil)
	if len(attributes) != requests {
		t.Errorf("%d keys are left of %d", len(attributes), requests)
	}
	setBy := map[string]int{}
	for _, pid := range attributes {
		setBy[string(pid)]++
	}
	if len(setBy) != 2 {
		t.Errorf("set by %v, want two processes", setBy)
	}
}
