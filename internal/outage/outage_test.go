package outage

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Of an outage under load the log tells once a second, not once a request.
func TestOutageDoesNotFloodTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text, all bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&text, nil))
		var o Log
		for range 3000 { // for three seconds
			o.Tell(t.Context(), logger, errors.New("no way"))
			time.Sleep(time.Millisecond)
		}
		if n := strings.Count(text.String(), "level=ERROR"); n != 3 {
			t.Errorf("%d lines, want 3:\n%s", n, text.String())
		}
		if n := strings.Count(text.String(), "more_since_last=999"); n != 2 {
			t.Errorf("%d lines count what was left out, want 2:\n%s", n, text.String())
		}

		everything := slog.New(slog.NewTextHandler(&all, &slog.HandlerOptions{Level: slog.LevelDebug}))
		for range 10 {
			o.Tell(t.Context(), everything, errors.New("no way"))
		}
		if n := strings.Count(all.String(), "no way"); n != 10 {
			t.Errorf("%d lines where everything is logged, want 10", n)
		}
	})
}
