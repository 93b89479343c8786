package rivals

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/rueidis"
)

// TestSessionsAreInRedis makes sure that a subject keeps the whole value there and
// nowhere else, as it is, and that a logout removes it.
func TestSessionsAreInRedis(t *testing.T) {
	for _, s := range All() {
		if !s.Redis {
			continue
		}
		for _, size := range sizes {
			t.Run(s.Name+"/"+strconv.Itoa(size), func(t *testing.T) {
				env := newEnv(t, s, size, 0)
				server := dial(t, env.Redis)
				client := open(t, s, env).Client()
				must(t, client.Create)
				if key := keys(t, server); len(key) != 1 {
					t.Fatalf("the keys in Redis are %d, want one", len(key))
				} else if value := command(t, server, "GET", key[0]); !strings.Contains(value, env.Value.Text) {
					t.Errorf("the %d bytes in Redis do not have the value of %d", len(value), size)
				}
				must(t, client.Logout)
				if key := keys(t, server); len(key) != 0 {
					t.Errorf("%d keys are left in Redis after the logout", len(key))
				}
			})
		}
	}
}

// TestCommandsARead counts what each subject asks of Redis to read a session that it
// has read before.
func TestCommandsARead(t *testing.T) {
	want := map[string][]string{
		"bare-redis":               {"get"},
		"coatcheck-redis":          nil,
		"coatcheck-redis-from":     nil,
		"coatcheck-redis-uncached": {"get"},
		"scs-redis":                {"get"},
		"gorilla-redis":            {"get", "ping"},
		"gin-redis":                {"get", "ping"},
		"fiber-redis":              {"get", "set"},
		"handmade-redis":           nil,
		"handmade-redis-uncached":  {"get"},
	}
	for _, s := range All() {
		if !s.Redis {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			env := newEnv(t, s, sizes[0], 0)
			server := dial(t, env.Redis)
			client := open(t, s, env).Client()
			must(t, client.Create, client.Read)
			command(t, server, "CONFIG", "RESETSTAT")
			const reads = 500
			for range reads {
				must(t, client.Read)
			}
			calls := calls(t, server)
			// A few are the clients' own: they ask whether the server is there.
			maps.DeleteFunc(calls, func(_ string, n int) bool { return n < reads/2 })
			if got := slices.Sorted(maps.Keys(calls)); !slices.Equal(got, want[s.Name]) {
				t.Errorf("a read takes %v, want %v: %v in %d reads", got, want[s.Name], calls, reads)
			}
		})
	}
}

// calls returns how often Redis has done which command.
func calls(t *testing.T, server rueidis.Client) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^cmdstat_(\S+?):calls=(\d+),`).FindAllStringSubmatch(command(t, server, "INFO", "commandstats"), -1) {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		found[m[1]] = n
	}
	return found
}

func keys(t *testing.T, server rueidis.Client) []string {
	t.Helper()
	found, err := server.Do(t.Context(), server.B().Keys().Pattern("*").Build()).AsStrSlice()
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func command(t *testing.T, server rueidis.Client, words ...string) string {
	t.Helper()
	answer, err := server.Do(t.Context(), server.B().Arbitrary(words...).Build()).ToString()
	if err != nil {
		t.Fatalf("%s: %v", words[0], err)
	}
	return answer
}

func dial(t *testing.T, addr string) rueidis.Client {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}
