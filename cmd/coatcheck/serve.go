package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/server"
)

// Limits of a connection. A request is small and so is its answer: whoever
// needs longer is ill or hostile.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 16 << 10

	// shutdownTimeout is how long requests under way may take to end.
	shutdownTimeout = 10 * time.Second
)

type serveCommand struct {
	Listen      string `default:"127.0.0.1:7600" env:"COATCHECK_LISTEN" placeholder:"HOST:PORT" help:"Where to listen (default ${default}). Beyond loopback an API key is required."`
	Store       string `default:"sqlite:./coatcheck.db" env:"COATCHECK_STORE" placeholder:"STORE" help:"Where sessions live: sqlite:PATH, memory: or redis://[USER:PASSWORD@]HOST:PORT[/DB] (default ${default})."`
	RedisPrefix string `default:"coat:" env:"COATCHECK_REDIS_PREFIX" placeholder:"TEXT" help:"What the names of keys in Redis begin with (default ${default})."`
	storeFlags
	IdleTimeout      timeout `env:"COATCHECK_IDLE_TIMEOUT" placeholder:"DURATION" help:"End a session that is not used for so long, such as 45m, or never (default 30m)."`
	AbsoluteTimeout  timeout `env:"COATCHECK_ABSOLUTE_TIMEOUT" placeholder:"DURATION" help:"End a session so long after its creation, or never (default 24h)."`
	AnonymousTimeout timeout `env:"COATCHECK_ANONYMOUS_TIMEOUT" placeholder:"DURATION" help:"End a session without a subject so long after its creation (default --absolute-timeout)."`
	Level            string  `default:"" enum:",aal1,aal2,aal3" env:"COATCHECK_LEVEL" placeholder:"AAL" help:"Refuse timeouts that are too long for this level of NIST SP 800-63B, aal1, aal2 or aal3, and have its limits as defaults."`
	RenewGrace       grace   `default:"30s" env:"COATCHECK_RENEW_GRACE" placeholder:"DURATION" help:"How long the old token works beside the new one if it is renewed with grace, and for how long after any renewal its use is not yet taken for theft; the same for all that share a store (default ${default})."`
	OnReuse          string  `default:"revoke" enum:"revoke,report" env:"COATCHECK_ON_REUSE" placeholder:"POLICY" help:"What to do when a token is used that was renewed longer ago than that: revoke the session, or report it in the log and the counters only (default ${default})."`
	MaxSessions      int     `default:"0" env:"COATCHECK_MAX_SESSIONS" placeholder:"N" help:"How many sessions a subject may have; 0 for any number (default ${default})."`
	WhenFull         string  `default:"end-oldest" enum:"end-oldest,refuse-newest" env:"COATCHECK_WHEN_FULL" placeholder:"POLICY" help:"What happens to one session more than that: end-oldest or refuse-newest (default ${default})."`
	managerFlags
	APIKeyFile      string `env:"COATCHECK_API_KEY_FILE" placeholder:"FILE" help:"File with the keys that clients send as X-API-Key, one a line."`
	AdminKeyFile    string `env:"COATCHECK_ADMIN_KEY_FILE" placeholder:"FILE" help:"File with the keys for the calls on the sessions of others, one a line; none of them is in the other file. Without it these calls are refused."`
	KeyringFile     string `env:"COATCHECK_KEYRING_FILE" placeholder:"FILE" help:"Seal values with the first key of this file, and open them with any: see coatcheck keys."`
	AcceptPlaintext bool   `env:"COATCHECK_ACCEPT_PLAINTEXT" help:"Read values that are not sealed, too, for a while after --keyring-file came in. Until it is taken away, whoever can write to the store can put any value into any session."`
	LogLevel        string `default:"info" enum:"debug,info,warn,error" env:"COATCHECK_LOG_LEVEL" placeholder:"LEVEL" help:"debug, info, warn or error; debug logs each request (default ${default})."`
	LogFormat       string `default:"text" enum:"text,json" env:"COATCHECK_LOG_FORMAT" placeholder:"FORMAT" help:"text or json (default ${default})."`
}

// Run serves until ctx ends.
func (c *serveCommand) Run(ctx context.Context, std streams) error {
	app, err := c.open(ctx, std)
	if err != nil {
		return err
	}
	app.greet(std)
	return app.run(ctx)
}

// app is the running service: its parts, wired.
type app struct {
	logger   *slog.Logger
	listener net.Listener
	server   *http.Server
	manager  *coatcheck.Manager[json.RawMessage]
	store    closableStore

	storeName        string
	keyFile          string
	nearCacheEntries int
	maxStaleness     time.Duration
}

// open wires the service, up to the socket it listens on.
func (c *serveCommand) open(ctx context.Context, std streams) (_ *app, err error) {
	a := &app{
		logger: c.logger(std), keyFile: c.APIKeyFile,
		nearCacheEntries: int(c.NearCacheEntries), maxStaleness: time.Duration(c.MaxStaleness),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()

	keys, err := readKeys("--api-key-file", c.APIKeyFile, a.logger)
	if err != nil {
		return nil, err
	}
	adminKeys, err := readKeys("--admin-key-file", c.AdminKeyFile, a.logger)
	if err != nil {
		return nil, err
	}
	addr, err := net.ResolveTCPAddr("tcp", c.Listen)
	if err != nil { // not repeated, either: it may be anything, misplaced
		return nil, errors.New("--listen: no address: want HOST:PORT, such as 127.0.0.1:7600")
	}
	if !addr.IP.IsLoopback() && len(keys) == 0 {
		return nil, fmt.Errorf("--listen %s can be reached from other machines, and without an API key anybody there could use the service: give one by --api-key-file, or listen on 127.0.0.1", c.Listen)
	}

	keyring, err := c.keyring()
	if err != nil {
		return nil, err
	}
	inner, name, err := c.openStore(ctx, c.Store, c.RedisPrefix, a.logger)
	if err != nil {
		return nil, err
	}
	a.store, a.storeName = inner, name
	store, err := c.sealed(inner, keyring, a.logger)
	if err != nil {
		return nil, err
	}
	a.manager, err = coatcheck.New(coatcheck.Config[json.RawMessage]{
		Store:            store,
		Codec:            server.RawJSON{},
		IdleTimeout:      time.Duration(c.IdleTimeout),
		AbsoluteTimeout:  time.Duration(c.AbsoluteTimeout),
		AnonymousTimeout: time.Duration(c.AnonymousTimeout),
		Level:            c.level(),
		RenewGrace:       time.Duration(c.RenewGrace),
		OnReuse:          c.onReuse(),
		MaxSessions:      c.MaxSessions,
		WhenFull:         c.whenFull(),
		MaxValueBytes:    c.MaxValueBytes,
		NearCache:        c.nearCache(),
		OnEvent:          coatcheck.LogEvents(a.logger),
		Logger:           a.logger,
	})
	if err != nil {
		return nil, inFlags(err)
	}
	handler, err := server.New(server.Config{
		Manager: a.manager, Store: store, MaxValueBytes: c.MaxValueBytes,
		APIKeys: keys, AdminKeys: adminKeys, Version: version(), Logger: a.logger,
	})
	if err != nil {
		return nil, inFlags(err)
	}
	if len(keys) == 0 {
		handler = onlyForLoopbackNames(handler)
	}
	a.server = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(a.logger.Handler(), slog.LevelWarn),
	}
	listener, err := net.ListenTCP("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("--listen: %w", err)
	}
	a.listener = listener
	return a, nil
}

func (c *serveCommand) logger(std streams) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // one of the enum
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(std.err, options))
	}
	return slog.New(slog.NewTextHandler(std.err, options))
}

// readKeys returns the keys of a file, none if there is to be no such file.
func readKeys(flag, file string, logger *slog.Logger) (server.APIKeys, error) {
	if file == "" {
		return nil, nil
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		logger.Warn("other users of this machine can read the keys of "+flag+": chmod 600", "file", file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	keys, err := server.ParseAPIKeys(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", flag, file, err)
	}
	return keys, nil
}

// onlyForLoopbackNames refuses requests for any other host. Without an API key
// this is what keeps a page out that has its own name resolve to this machine
// (DNS rebinding): to the browser it would be the same site.
func onlyForLoopbackNames(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := strings.ToLower(r.Host)
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		host = strings.TrimSuffix(host, ".")
		ip := net.ParseIP(strings.Trim(host, "[]"))
		// No browser leaves it out, and some health probes do.
		if host != "" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			server.WriteProblem(w, http.StatusForbidden, "host", "without an API key the service answers to localhost and 127.0.0.1 only: use one of these, or --api-key-file")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// url is where this machine's programs reach the service.
func (a *app) url() string {
	addr := a.listener.Addr().(*net.TCPAddr)
	if addr.IP.IsUnspecified() {
		return fmt.Sprintf("http://127.0.0.1:%d", addr.Port)
	}
	return "http://" + addr.String()
}

// greet tells a person what to do next.
func (a *app) greet(std streams) {
	key := ""
	if a.keyFile != "" {
		quoted := "'" + strings.ReplaceAll(a.keyFile, "'", `'\''`) + "'"
		key = fmt.Sprintf(` -H "X-API-Key: $(tr -d '\357\273\277 \t\r' <%s | grep -m 1 '^[^#]')"`, quoted)
	}
	fmt.Fprintf(std.out, `coatcheck %[1]s serves on %[2]s
store: %[3]s
try:
  TOKEN=$(curl -s%[4]s -H 'Content-Type: application/json' -d '{"value":{"user":"ada"}}' %[2]s/v1/sessions | sed 's/.*"token":"\([^"]*\)".*/\1/')
  curl -s%[4]s -H "Authorization: Bearer $TOKEN" %[2]s/v1/session
  curl -s%[4]s -H "Authorization: Bearer $TOKEN" -X DELETE %[2]s/v1/session
`, version(), a.url(), a.storeName, key)
}

// run serves until ctx ends, lets requests under way end, and closes all.
func (a *app) run(ctx context.Context) error {
	a.logger.Info("serving", "url", a.url(), "store", a.storeName,
		"near_cache_entries", a.nearCacheEntries, "max_staleness", a.maxStaleness)
	failed := make(chan error, 1)
	go func() { failed <- a.server.Serve(a.listener) }() // ends with the server

	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		a.logger.Info("stopping", "at_most", shutdownTimeout)
		graceful, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		if err = a.server.Shutdown(graceful); err != nil {
			err = fmt.Errorf("requests were cut off: %w", err)
		}
	}
	return errors.Join(err, a.close())
}

// close releases what open has acquired so far.
func (a *app) close() error {
	var errs []error
	if a.server != nil {
		errs = append(errs, a.server.Close())
	}
	if a.listener != nil {
		if err := a.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if a.manager != nil {
		errs = append(errs, a.manager.Close())
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	return errors.Join(errs...)
}
