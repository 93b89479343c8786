package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/coatcheck/coatcheck/internal/loadgen"
)

// How often a person is told how far it is, and how often a log is.
const (
	barInterval  = 100 * time.Millisecond
	lineInterval = 2 * time.Second
	barWidth     = 15 // for a line of 79 columns at most
	clearLine    = "\r\x1b[K"
)

// screen is standard error: messages, the log, and how far it is, which on a
// terminal is a line that is written again and again.
type screen struct {
	terminal bool
	interval time.Duration

	// lost is called when nothing can be written any more: a load that nobody sees is
	// not to go on.
	lost context.CancelFunc

	mu  sync.Mutex
	w   io.Writer
	err error // of the first write that failed
}

func newScreen(w io.Writer, lost context.CancelFunc) *screen {
	if f, ok := w.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		return &screen{w: w, terminal: true, interval: barInterval, lost: lost}
	}
	return &screen{w: w, interval: lineInterval, lost: lost}
}

// Write writes a message in the place of the bar, which comes again below it.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clearBar()
	return s.write(string(p))
}

// write is called with the lock held.
func (s *screen) write(text string) (int, error) {
	n, err := io.WriteString(s.w, text)
	if err != nil && s.err == nil {
		s.err = fmt.Errorf("tell how far it is: %w", err)
		s.lost()
	}
	return n, err
}

// failure returns why it was lost, or nil.
func (s *screen) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *screen) printf(format string, args ...any) { fmt.Fprintf(s, format, args...) }

func (s *screen) clearBar() {
	if s.terminal {
		_, _ = s.write(clearLine)
	}
}

// progress is how far it is.
type progress struct {
	doing        string
	share        float64 // from 0 to 1
	elapsed      time.Duration
	done, failed uint64
}

// line describes it in one line. The rate is the mean so far.
func (p progress) line() string {
	return fmt.Sprintf("%3.0f %%  %v  %.0f/s  %s",
		100*p.share, p.elapsed.Round(100*time.Millisecond), float64(p.done)/p.elapsed.Seconds(), number(int(p.failed), "error"))
}

func (s *screen) show(p progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.terminal {
		_, _ = s.write(p.doing + ": " + strings.TrimLeft(p.line(), " ") + "\n")
		return
	}
	full := int(p.share * barWidth)
	s.clearBar()
	_, _ = s.write(fmt.Sprintf("%-10s [%s%s] %s", p.doing, strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), p.line()))
}

// shareOf tells which share of something is done.
type shareOf func(elapsed time.Duration, done uint64) float64

func ofTime(d time.Duration) shareOf {
	return func(elapsed time.Duration, _ uint64) float64 { return min(float64(elapsed)/float64(d), 1) }
}

func ofCount(n int) shareOf {
	return func(_ time.Duration, done uint64) float64 { return min(float64(done)/float64(n), 1) }
}

// during calls do, and tells meanwhile how far the load is.
func (s *screen) during(doing string, load *loadgen.Load, share shareOf, do func()) {
	begin := time.Now()
	doneBefore, failedBefore := load.Progress()
	stop := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		ticker := time.NewTicker(s.interval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				done, failed := load.Progress()
				p := progress{doing: doing, elapsed: time.Since(begin), done: done - doneBefore, failed: failed - failedBefore}
				p.share = share(p.elapsed, p.done)
				s.show(p)
			case <-stop:
				return
			}
		}
	})
	do()
	close(stop)
	group.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clearBar()
}
