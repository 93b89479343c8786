package coatcheck

import (
	"testing"
	"time"
)

// FuzzSchedule feeds what anybody may write for ClearSchedule.
func FuzzSchedule(f *testing.F) {
	for _, text := range []string{
		"0 4 * * *", "*/5 * * * * *", "CRON_TZ=UTC 0 4 * * *", "TZ=America/Sao_Paulo 0 0 * * 0", "TZ=Africa/Cairo 0 0 1 * *",
		"0 0 29 2 *", "0 0 31 2 *", "0 0 30 feb mon", "1-59/7,3 ? jan-mar * sun", "TZ=", "CRON_TZ=UTC", "TZ=UTC ", "TZ=UTC\t* * * * *", "TZ=\u00a0* * * * *",
		"TZ=Local * * * * *", "TZ=../x * * * * *", "TZ= * * * * *", "@daily", "@every 1ns", "", " ", ", * * * * *", "* , * * * *", ", , , , , ,", "*/9223372036854775807 * * * *", "0 25 * * *",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		began := time.Now()
		s, err := parseSchedule(text)
		if took := time.Since(began); took > time.Second { // New waits for it
			t.Errorf("%q takes %v", text, took)
		}
		if (s == nil) == (err == nil) {
			t.Errorf("%q: %v, %v", text, s, err)
		}
		if err != nil {
			return
		}
		from := time.Now()
		for range 10 { // the manager sleeps until each, and must not spin
			next := s.Next(from)
			if !next.After(from) {
				t.Fatalf("%q: after %v comes %v", text, from, next)
			}
			from = next
		}
	})
}
