package benchmarks

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// profile is the typed value that a request reads from its session.
type profile struct {
	User string
	N    int
}

var alice = profile{User: "alice", N: 42}

// middlewareSubject is one way to have sessions in net/http. open returns a
// handler that ends with answer, and maxGoroutines sessions that hold alice.
type middlewareSubject struct {
	name string
	open func(testing.TB) (read http.Handler, cookies []*http.Cookie)
}

// yardstick names the subject with which all are compared.
const yardstick = "coatcheck-redis"

var middlewareSubjects = []middlewareSubject{
	{"bare", openBare},
	{"coatcheck-memory", openCoatcheckMemory},
	{"coatcheck-redis", openCoatcheckRedis},
	{"scs-memory", openSCSMemory},
	{"scs-redis", openSCSRedis},
	{"gorilla-cookie", openGorillaCookie},
	{"gorilla-redis", openGorillaRedis},
	{"go-session-memory", openGoSessionMemory},
	{"handmade-redis", openHandmadeRedis},
}

// BenchmarkMiddleware serves requests that read the value of an existing
// session, without a network between client and handler.
func BenchmarkMiddleware(b *testing.B) {
	at := slices.IndexFunc(middlewareSubjects, func(s middlewareSubject) bool { return s.name == yardstick })
	for _, subject := range middlewareSubjects {
		b.Run(subject.name, func(b *testing.B) {
			read, cookies := subject.open(b)
			rival, rivalCookies := middlewareSubjects[at].open(b)
			for _, goroutines := range []int{2, maxGoroutines} {
				contest{
					ours:  requests(goroutines, read, cookies),
					rival: requests(goroutines, rival, rivalCookies),
					level: true,
				}.runAs(b, fmt.Sprintf("goroutines-%d", goroutines), reportTimes)
			}
		})
	}
}

// reportTimes says how many times as long as the yardstick a request takes.
func reportTimes(b *testing.B, r *result) {
	b.ReportMetric(float64(r.rival.Nanoseconds())/float64(r.ops), yardstick+"-ns/op")
	b.ReportMetric(1/r.quantile(0.5), "times-"+yardstick)
	b.ReportMetric(1/r.quantile(0.75), "times-"+yardstick+"-q1")
	b.ReportMetric(1/r.quantile(0.25), "times-"+yardstick+"-q3")
}

// TestMiddlewareSubjects makes sure that the benchmark compares like with like:
// each subject finds the value by the cookie and by nothing else.
func TestMiddlewareSubjects(t *testing.T) {
	for _, subject := range middlewareSubjects {
		t.Run(subject.name, func(t *testing.T) {
			read, cookies := subject.open(t)
			if len(cookies) != maxGoroutines {
				t.Fatalf("%d cookies, want %d", len(cookies), maxGoroutines)
			}
			for _, cookie := range cookies {
				for range 2 {
					if err := newVisitor(cookie).get(read); err != nil {
						t.Fatal(err)
					}
				}
			}
			if subject.name == "bare" {
				return
			}
			forged := *cookies[0]
			forged.Value = "A" + forged.Value
			for _, cookie := range []*http.Cookie{{Name: "unrelated", Value: "1"}, &forged} {
				if err := newVisitor(cookie).get(read); !errors.Is(err, errMissing) {
					t.Errorf("cookie %s: error %v, want that the value is missing", cookie.Name, err)
				}
			}
		})
	}
}

// answer is the end of each subject's handler. Only what it writes here counts
// as a read.
func answer(w http.ResponseWriter, found profile) {
	if found != alice {
		http.Error(w, "no profile", http.StatusUnauthorized)
		return
	}
	_, _ = w.Write([]byte("ok"))
}

// signIn has the subject itself make the sessions.
func signIn(t testing.TB, login http.Handler) []*http.Cookie {
	t.Helper()
	var cookies []*http.Cookie
	for range maxGoroutines {
		w := httptest.NewRecorder()
		login.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/login", nil))
		set := w.Result().Cookies()
		if len(set) != 1 || w.Code != http.StatusOK {
			t.Fatalf("status %d and %d cookies, want 200 and 1: %s", w.Code, len(set), w.Body)
		}
		cookies = append(cookies, set[0])
	}
	return cookies
}

// requests gives each goroutine a visitor of its own, for spread deals the
// numbers so that no two goroutines share a remainder.
func requests(goroutines int, h http.Handler, cookies []*http.Cookie) workload {
	visitors := make([]*visitor, goroutines)
	for i := range visitors {
		visitors[i] = newVisitor(cookies[i])
	}
	return spread(goroutines, func(i int) error { return visitors[i%goroutines].get(h) })
}

// visitor makes the same request again and again, and is its ResponseWriter.
type visitor struct {
	request *http.Request
	current http.Request
	header  http.Header
	ok      bool
}

func newVisitor(cookie *http.Cookie) *visitor {
	v := &visitor{request: httptest.NewRequest(http.MethodGet, "/read", nil), header: http.Header{}}
	v.request.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
	return v
}

// get starts from a fresh request and an empty header each time: some subjects
// leave the session in the one, and add to the other.
func (v *visitor) get(h http.Handler) error {
	clear(v.header)
	v.ok = false
	v.current = *v.request
	h.ServeHTTP(v, &v.current)
	if !v.ok {
		return errMissing
	}
	return nil
}

func (v *visitor) Header() http.Header { return v.header }
func (v *visitor) WriteHeader(int)     {}

func (v *visitor) Write(p []byte) (int, error) {
	v.ok = string(p) == "ok"
	return len(p), nil
}

func openBare(testing.TB) (http.Handler, []*http.Cookie) {
	cookies := make([]*http.Cookie, maxGoroutines)
	for i := range cookies {
		cookies[i] = &http.Cookie{Name: "session", Value: randomID()}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, alice) }), cookies
}
