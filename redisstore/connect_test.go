package redisstore_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck/coatcheck"
	"github.com/coatcheck/coatcheck/internal/redistest"
	"github.com/coatcheck/coatcheck/redisstore"
	"github.com/coatcheck/coatcheck/storetest"
)

const password = "pa55-word-of-the-test"

func TestPassword(t *testing.T) {
	server := redistest.Start(t, "--requirepass", password)
	open(t, "redis://:"+password+"@"+server.Addr, redisstore.Config{})
	open(t, "redis://default:"+password+"@"+server.Addr+"/", redisstore.Config{})
	open(t, "redis://default:"+password+"@"+server.Addr+"/3", redisstore.Config{})

	for what, url := range map[string]string{
		"no":      "redis://" + server.Addr,
		"a wrong": "redis://:not-" + password + "@" + server.Addr,
	} {
		_, err := redisstore.Open(t.Context(), url, redisstore.Config{})
		if !errors.Is(err, coatcheck.ErrUnavailable) {
			t.Errorf("Open with %s password: %v, want ErrUnavailable", what, err)
		}
		if err != nil && strings.Contains(err.Error(), password) {
			t.Errorf("the error repeats the password")
		}
	}
}

func TestErrorsNeverRepeatTheURL(t *testing.T) {
	for _, url := range []string{
		"redis://user:" + password + "@host:port-that-is-none",
		"redis://:" + password + "/x@host:6379",
		"redis://:12/" + password + "@host:6379",
		"http://user:" + password + "@host",
		"redis://user:" + password + "@127.0.0.1:1",
		"redis://user:" + password + "%zz@host",
		password,
	} {
		_, err := redisstore.Open(t.Context(), url, redisstore.Config{Timeout: time.Second})
		if err == nil {
			t.Errorf("Open of a bad URL succeeds")
		} else if strings.Contains(err.Error(), password) {
			t.Errorf("the error repeats the password: %v", strings.ReplaceAll(err.Error(), password, "[password]"))
		}
	}
}

func TestUnixSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "redis.sock")
	redistest.Start(t, "--unixsocket", socket)
	open(t, "unix://"+socket, redisstore.Config{})
}

// TestTLS connects to a server with a certificate of the test's own, which the
// process is told to trust the way an operator would: by SSL_CERT_FILE.
func TestTLS(t *testing.T) {
	cert, key := selfSigned(t)
	t.Setenv("SSL_CERT_FILE", cert) // read once a process, at the first verification
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	l.Close()
	redistest.Start(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no",
		"--requirepass", password)

	s := open(t, "rediss://:"+password+"@"+addr, redisstore.Config{})
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := redisstore.Open(t.Context(), "redis://:"+password+"@"+addr, redisstore.Config{Timeout: time.Second}); !errors.Is(err, coatcheck.ErrUnavailable) {
		t.Errorf("Open without TLS: %v, want ErrUnavailable", err)
	}
}

func selfSigned(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "coatcheck test"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:         true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", keyDER)
}

// TestLeastPrivilege keeps docs/REDIS.md true: these permissions are enough.
func TestLeastPrivilege(t *testing.T) {
	doc, err := os.ReadFile("../docs/REDIS.md")
	if err != nil {
		t.Fatal(err)
	}
	for kind, rules := range leastPrivilege {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(string(doc), rules) {
				t.Errorf("docs/REDIS.md does not name the permissions %q", rules)
			}
			server := redistest.Start(t)
			url := restricted(t, server, rules)
			storetest.Run(t, func() (storetest.Target, error) {
				return target(url, redisstore.Config{Invalidation: kind})
			})
		})
	}
}

// TestEachRightOfTheIndexIsNeeded takes one away at a time. (Where names are not
// removed the caller does not hear of it.)
func TestEachRightOfTheIndexIsNeeded(t *testing.T) {
	server := redistest.Start(t)
	for _, missing := range append(strings.Fields(indexRights), "") {
		rules := strings.Replace(leastPrivilege[redisstore.Tracking], missing, "", 1)
		var log bytes.Buffer
		s := open(t, restricted(t, server, rules), redisstore.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		err := useIndex(t, s)
		if complained := err != nil || strings.Contains(log.String(), "goes on naming"); complained != (missing != "") {
			t.Errorf("without %q: %v\n%s", missing, err, log.String())
		}
		if strings.Contains(log.String(), "ada") {
			t.Errorf("the log tells a subject:\n%s", log.String())
		}
	}
}

func useIndex(t *testing.T, s *redisstore.Store) error {
	r := record("ada")
	if err := s.Create(t.Context(), r); err != nil {
		return err
	}
	if _, err := listed(t.Context(), s, "ada"); err != nil {
		return err
	}
	return s.Delete(t.Context(), r.ID)
}

// restricted returns how to reach the server as a user with these rights only.
func restricted(t *testing.T, server *redistest.Server, rules string) (url string) {
	t.Helper()
	client := server.Client()
	set := strings.Fields("ACL SETUSER app on >" + password + " " + rules)
	if err := client.Do(t.Context(), client.B().Arbitrary(set...).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	return "redis://app:" + password + "@" + server.Addr
}

const basicRights = `-@all +get +set +del +getrange +strlen +setrange +pexpireat +persist ` + indexRights + ` +eval +evalsha +scan +role +ping +cluster|slots`

// indexRights are what only the indexes of subjects need.
const indexRights = `+zadd +zrem +zrange +zremrangebyscore +time`

var leastPrivilege = map[redisstore.Invalidation]string{
	redisstore.Tracking: `~coat:* resetchannels ` + basicRights + ` +client|tracking`,
	redisstore.PubSub:   `~coat:* resetchannels &coat:changes ` + basicRights + ` +publish +subscribe +unsubscribe`,
}

// TestFallsBackOnWhatTheServerAllows opens stores as users who may do less and
// less. They say in the log what they make do with.
func TestFallsBackOnWhatTheServerAllows(t *testing.T) {
	for name, c := range map[string]struct{ rules, want string }{
		"all":                  {leastPrivilege[redisstore.Tracking], "invalidation=tracking"},
		"no tracking":          {leastPrivilege[redisstore.PubSub], "invalidation=pubsub"},
		"no publishing, too":   {`~coat:* resetchannels &coat:changes ` + basicRights + ` +subscribe`, "invalidation=none"},
		"no channel":           {`~coat:* resetchannels ` + basicRights + ` +publish +subscribe`, "invalidation=none"},
		"no subscription, too": {`~coat:* resetchannels &coat:changes ` + basicRights + ` +publish`, "invalidation=none"},
	} {
		t.Run(name, func(t *testing.T) {
			url := restricted(t, redistest.Start(t), c.rules)
			var log bytes.Buffer
			s := open(t, url, redisstore.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if !strings.Contains(log.String(), c.want) {
				t.Errorf("the log does not say %s: %s", c.want, log.String())
			}
			m := manager(t, s, coatcheck.NearCache{})
			token, err := m.Generate(t.Context(), "hat")
			if err == nil {
				err = m.Update(t.Context(), token, "coat")
			}
			if err == nil {
				err = m.Delete(t.Context(), token)
			}
			if err != nil {
				t.Errorf("it does not work: %v", err)
			}
			if _, err := redisstore.Open(t.Context(), url, redisstore.Config{Invalidation: redisstore.PubSub}); (err != nil) != (c.want == "invalidation=none" || name == "all") {
				t.Errorf("Open with PubSub: %v", err)
			}
		})
	}
}
