package rivals

import (
	"errors"
	"fmt"
	"sync"
	"testing"
)

// TestSubjects takes a session of each subject through its life, with each value
// that the subject holds.
func TestSubjects(t *testing.T) {
	for _, s := range keepers() {
		for _, size := range sizes {
			if s.MaxValue > 0 && size > s.MaxValue {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", s.Name, size), func(t *testing.T) {
				client := open(t, s, newEnv(t, s, size, 0)).Client()
				finds(t, s, client, ErrMissing)
				if err := client.Change(); !errors.Is(err, ErrMissing) {
					t.Fatalf("a change without a session: error %v, want %v", err, ErrMissing)
				}
				must(t, client.Create, client.Read, client.Read, client.Change, client.Read)
				before := twin(t, client, same)
				must(t, client.Logout)
				finds(t, s, client, ErrMissing)
				if s.Name == gorillaCookie.Name { // its documents say so
					must(t, before.Read)
				} else {
					finds(t, s, before, ErrMissing)
				}
				must(t, client.Create, client.Read)
			})
		}
	}
}

// TestBareHandler makes sure that the floor does everything there is to do.
func TestBareHandler(t *testing.T) {
	for _, s := range []Subject{bareHandler, bareContext} {
		client := open(t, s, newEnv(t, s, sizes[0], 0)).Client()
		must(t, client.Create, client.Read, client.Change, client.Logout)
	}
}

// TestChangeIsKept begins with a count below zero, which no read accepts: so a read
// that succeeds has seen the changes, and that of another client has not.
func TestChangeIsKept(t *testing.T) {
	for _, s := range keepers() {
		t.Run(s.Name, func(t *testing.T) {
			app := open(t, s, newEnv(t, s, sizes[0], -2))
			client, other := app.Client(), app.Client()
			must(t, client.Create, other.Create, other.Change, client.Change)
			finds(t, s, client, ErrMissing)
			must(t, client.Change)
			finds(t, s, client, nil)
			finds(t, s, twin(t, client, same), nil)
			finds(t, s, other, ErrMissing)
		})
	}
}

// TestForgedCookie shows each subject a session that is nearly one of its own.
func TestForgedCookie(t *testing.T) {
	for _, s := range keepers() {
		t.Run(s.Name, func(t *testing.T) {
			client := open(t, s, newEnv(t, s, sizes[0], 0)).Client()
			must(t, client.Create, client.Read)
			for what, alter := range map[string]func(string) string{
				"forged":  forged,
				"longer":  func(value string) string { return value + "A" },
				"foreign": func(string) string { return "unrelated" },
			} {
				if err := twin(t, client, alter).Read(); err == nil {
					t.Errorf("a read with a cookie that is %s succeeds", what)
				}
			}
			must(t, client.Read)
		})
	}
}

// TestClientsAtOnce is for the race detector.
func TestClientsAtOnce(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			app := open(t, s, newEnv(t, s, sizes[0], 0))
			var group sync.WaitGroup
			for range atOnce {
				client := app.Client()
				group.Go(func() {
					for range 20 {
						for _, do := range []func() error{client.Create, client.Read, client.Change, client.Read, client.Logout} {
							if err := do(); err != nil {
								t.Error(err)
								return
							}
						}
					}
				})
			}
			group.Wait()
		})
	}
}

// TestMaxValue makes sure that a subject holds what it says, and that it does not
// say less than it holds of the sizes above.
func TestMaxValue(t *testing.T) {
	for _, s := range All() {
		if s.MaxValue == 0 {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			client := open(t, s, newEnv(t, s, s.MaxValue, 0)).Client()
			must(t, client.Create, client.Read, client.Change, client.Read)
			for _, size := range sizes {
				if size <= s.MaxValue {
					continue
				}
				if err := open(t, s, newEnv(t, s, size, 0)).Client().Create(); err == nil {
					t.Errorf("a value of %d bytes is accepted: MaxValue is %d", size, s.MaxValue)
				}
			}
		})
	}
}
