package chaos

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"
)

// soon is a fault after a moment, over and over.
func soon(kinds ...Cards) ProxyFaults {
	return ProxyFaults{
		Kinds: kinds,
		Pause: Span{time.Millisecond, 2 * time.Millisecond}, Stall: Span{5 * time.Millisecond, 10 * time.Millisecond},
		Swallow: Span{50 * time.Millisecond, 60 * time.Millisecond},
	}
}

// dialEcho connects through a proxy to a server that sends back what it gets.
func dialEcho(t *testing.T, faults ProxyFaults) (*net.TCPConn, *Proxy) {
	t.Helper()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	proxy, err := StartProxy(server.Addr().String(), faults, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	conn, err := net.Dial("tcp", proxy.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn.(*net.TCPConn), proxy
}

func TestStallsLoseNothing(t *testing.T) {
	conn, proxy := dialEcho(t, soon(Cards{StallReplies, 1}, Cards{StallRequests, 1}, Cards{StallBoth, 1}))
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	go func() { _, _ = conn.Write(sent) }() // shows in what comes back
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(conn, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, sent) {
		t.Error("other bytes came back than were sent")
	}
	for proxy.Counts()[StallBoth] == 0 {
		time.Sleep(time.Millisecond) // between two looks at the condition
	}
}

func TestWhatIsSwallowedIsFollowedByACut(t *testing.T) {
	for _, fault := range []string{SwallowReplies, SwallowRequests, SwallowBoth} {
		conn, proxy := dialEcho(t, soon(Cards{fault, 1}))
		for proxy.Counts()[fault] == 0 {
			time.Sleep(time.Millisecond) // between two looks at the condition
		}
		_, _ = conn.Write([]byte("lost"))
		got, err := io.ReadAll(conn)
		if len(got) > 0 || errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("%s: read %q, %v; want the end only", fault, got, err)
		}
	}
}

func TestCuts(t *testing.T) {
	conn, _ := dialEcho(t, soon(Cards{CutByEnd, 1}))
	if n, err := conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("cut by end: %d, %v", n, err)
	}
	conn, _ = dialEcho(t, soon(Cards{CutByReset, 1}))
	if n, err := conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("cut by reset: %d, %v", n, err)
	}
}

func TestADeckDealsEachCard(t *testing.T) {
	deal := func(seed uint64) (dealt []string) {
		deck := NewDeck(random(seed), Cards{"a", 1}, Cards{"b", 2}, Cards{"c", 3})
		for range 12 {
			dealt = append(dealt, deck.Deal())
		}
		return dealt
	}
	first := deal(1)
	if !slices.Equal(first, deal(1)) {
		t.Error("the same seed deals otherwise")
	}
	for _, round := range [][]string{first[:6], first[6:]} {
		if got := slices.Sorted(slices.Values(round)); !slices.Equal(got, []string{"a", "b", "b", "c", "c", "c"}) {
			t.Errorf("dealt %v", got)
		}
	}
	if NewDeck(random(1)).Deal() != "" {
		t.Error("an empty deck deals")
	}
}
