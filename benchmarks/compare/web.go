package compare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/coatcheck/coatcheck/benchmarks/rivals"
)

// WebStanding is how a subject does as a site under load.
type WebStanding struct {
	Subject   string
	PerSecond Quartiles // requests
	Overhead  Quartiles // microseconds more of the machine's time than with the bare handler, in the same round
}

// bareSite is the handler that has no sessions.
const bareSite = "bare"

// site is a subject that serves HTTP on the loopback interface.
type site struct {
	player  *player
	url     string
	cookies string // name of the file that wrk reads
	close   func() error
}

func openSite(ctx context.Context, p *player, w *wrk) (s *site, err error) {
	if err := p.open(Arena{Value: baseValue, Clients: baseClients}); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	served := make(chan error, 1)
	go func() { served <- rivals.Serve(p.app, l) }()
	s = &site{player: p, url: "http://" + l.Addr().String()}
	s.close = func() error { return errors.Join(l.Close(), <-served, p.close()) }
	cookies, err := signIn(ctx, s.url, baseClients)
	if err == nil {
		s.cookies, err = w.cookies(p.subject.Name, cookies)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", p.subject.Name, err), s.close())
	}
	return s, nil
}

// signIn makes sessions, and returns the Cookie header for each.
func signIn(ctx context.Context, url string, sessions int) ([]string, error) {
	browser := &http.Client{Transport: &http.Transport{}}
	defer browser.CloseIdleConnections()
	var headers []string
	for range sessions {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/create", nil)
		if err != nil {
			return nil, err
		}
		response, err := browser.Do(request)
		if err != nil {
			return nil, fmt.Errorf("making a session: %w", err)
		}
		_, err = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("making a session: %w", err)
		}
		if response.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("making a session: status %d", response.StatusCode)
		}
		var pairs []string
		for _, cookie := range response.Cookies() {
			pairs = append(pairs, cookie.Name+"="+cookie.Value)
		}
		headers = append(headers, strings.Join(pairs, "; "))
	}
	return headers, nil
}

// visits is the load of several sites, in rounds as in a tournament.
type visits struct {
	wrk       *wrk
	lasts     time.Duration // each, in whole seconds
	sites     []*site
	perSecond [][]float64 // requests, by site and round
}

func (v *visits) open(ctx context.Context, players []*player) error {
	for _, p := range players {
		s, err := openSite(ctx, p, v.wrk)
		if err != nil {
			return errors.Join(err, v.close())
		}
		v.sites = append(v.sites, s)
	}
	v.perSecond = make([][]float64, len(v.sites))
	return nil
}

func (v *visits) close() (err error) {
	for _, s := range v.sites {
		err = errors.Join(err, s.close())
	}
	return err
}

func (v *visits) round(ctx context.Context, round int) error {
	for i := range v.sites {
		at := (round + i) % len(v.sites)
		runtime.GC() // as before a lap
		got, err := v.wrk.load(ctx, v.sites[at].url, v.sites[at].cookies, baseClients, v.lasts)
		if err != nil {
			return fmt.Errorf("%s: %w", v.sites[at].player.subject.Name, err)
		}
		v.perSecond[at] = append(v.perSecond[at], got)
	}
	return nil
}

func (v *visits) standings() ([]WebStanding, error) {
	names := make([]string, len(v.sites))
	for i, s := range v.sites {
		names[i] = s.player.subject.Name
	}
	return webStandings(names, v.perSecond)
}

func webStandings(names []string, perSecond [][]float64) ([]WebStanding, error) {
	bare := slices.Index(names, bareSite)
	if bare < 0 {
		return nil, fmt.Errorf("%s does not take part, which all are compared with", bareSite)
	}
	var all []WebStanding
	for i, name := range names {
		overhead := make([]float64, len(perSecond[i]))
		for round, each := range perSecond[i] {
			overhead[round] = 1e6/each - 1e6/perSecond[bare][round]
		}
		all = append(all, WebStanding{name, quartiles(slices.Clone(perSecond[i])), quartiles(overhead)})
	}
	return all, nil
}
