package coatcheck_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
)

func TestLogEventsWritesWhatIsKnown(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		event coatcheck.Event
		want  string
	}{
		{coatcheck.Event{Kind: coatcheck.TokenReused, SessionID: "s", Subject: "ada", Client: cafe, Rev: 7},
			`level=WARN msg="coatcheck: token reused" session=s subject=ada address=203.0.113.9 user_agent=browser rev=7`},
		{coatcheck.Event{Kind: coatcheck.ClientChanged, SessionID: "s", Client: cafe, Before: home},
			`level=WARN msg="coatcheck: client changed" session=s address=203.0.113.9 user_agent=browser address_before=192.0.2.1 user_agent_before=browser`},
		{coatcheck.Event{Kind: coatcheck.DecodeFailed, SessionID: "s"}, `level=WARN msg="coatcheck: decode failed" session=s`},
		{coatcheck.Event{Kind: coatcheck.SessionCreated, SessionID: "s", Rev: 1}, `level=INFO msg="coatcheck: session created" session=s rev=1`},
		{coatcheck.Event{Kind: coatcheck.SessionRenewed, SessionID: "s"}, `level=INFO msg="coatcheck: session renewed" session=s`},
		{coatcheck.Event{Kind: coatcheck.SessionDeleted, SessionID: "s"}, `level=INFO msg="coatcheck: session deleted" session=s`},
		{coatcheck.Event{Kind: coatcheck.SessionRevoked, SessionID: "s"}, `level=INFO msg="coatcheck: session revoked" session=s`},
		{coatcheck.Event{Kind: coatcheck.SessionExpired, SessionID: "s"}, `level=INFO msg="coatcheck: session expired" session=s`},
		{coatcheck.Event{Kind: coatcheck.SessionChanged, SessionID: "s"}, `level=DEBUG msg="coatcheck: session changed" session=s`},
		{coatcheck.Event{Kind: coatcheck.EntryWritten, SessionID: "s"}, `level=DEBUG msg="coatcheck: entry written" session=s`},
		{coatcheck.Event{Kind: coatcheck.ChangeReceived, SessionID: "s", Node: "shop-2"}, `level=DEBUG msg="coatcheck: change received" session=s node=shop-2`},
		{coatcheck.Event{Kind: coatcheck.CacheCleared}, `level=DEBUG msg="coatcheck: cache cleared" size=0`},
	} {
		c.event.Time = at
		for least, written := range map[slog.Level]bool{
			slog.LevelDebug: true,
			slog.LevelInfo:  !strings.HasPrefix(c.want, "level=DEBUG"),
			slog.LevelWarn:  strings.HasPrefix(c.want, "level=WARN"),
		} {
			var log bytes.Buffer
			coatcheck.LogEvents(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: least})))(c.event)
			want := ""
			if written {
				want = "time=2030-01-02T03:04:05.000Z " + c.want + "\n"
			}
			if log.String() != want {
				t.Errorf("from %v on:\n%s, want\n%s", least, log.String(), want)
			}
		}
	}
}

func TestLogEventsShowsNoToken(t *testing.T) {
	cachesInTime(t, func(t *testing.T, n near) {
		var log bytes.Buffer
		told := new(chronicle)
		write := coatcheck.LogEvents(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
		m := newManager(t, config{
			Store: openStore(t), NearCache: n.NearCache, Logger: slog.New(slog.DiscardHandler),
			OnEvent: func(e coatcheck.Event) { write(e); told.note(e) },
		})
		token := generate(t, m, profile{Name: "a value"}, coatcheck.ForSubject("ada"))
		wantErr(t, "Change", m.Change(t.Context(), token, addVisit), nil)
		fresh := renew(t, m, token)
		time.Sleep(grace)
		wantGone(t, m, token)
		told.wantKinds(t, coatcheck.SessionCreated, coatcheck.SessionChanged, coatcheck.SessionRenewed, coatcheck.TokenReused, coatcheck.SessionRevoked)
		for _, secret := range []string{string(token[22:]), string(fresh[22:]), "a value"} {
			if strings.Contains(log.String(), secret) {
				t.Errorf("the log shows %q:\n%s", secret, log.String())
			}
		}
		if n := strings.Count(log.String(), token.ID()); n < 5 {
			t.Errorf("the session is named %d times", n)
		}
	})
}
