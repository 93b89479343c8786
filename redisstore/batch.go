package redisstore

import (
	"context"
	"crypto/tls"
	"net"
	"runtime"
	"sync/atomic"

	"github.com/redis/rueidis"
)

// crowd is how many calls have to be waiting for their answers before it pays to send
// commands together. (Measured on two processors, which client and server shared: with 64
// callers reads take three quarters of the time that they take without, with 32 it makes
// little difference, and with 16 they take a fifth longer. To wait for 20 µs, as the
// client's library would, is as good with 64 callers, and takes a third longer with 8.)
const crowd = 24

// newClient returns a client whose connections, in a crowd, let others add their commands
// before they write: most of what a command costs is system calls. With few callers it is
// better to write at once, for then client and server work at the same time.
func newClient(opt rueidis.ClientOption) (rueidis.Client, error) {
	waiting := new(atomic.Int64)
	dial := opt.DialCtxFn // set for a socket, and for tracking
	opt.DialCtxFn = func(ctx context.Context, addr string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
		conn, err := dialWith(ctx, dial, addr, dialer, config)
		if err != nil {
			return nil, err
		}
		return yielding{conn, waiting}, nil
	}
	client, err := rueidis.NewClient(opt)
	if err != nil {
		return nil, err
	}
	return counting{client, waiting}, nil
}

// counting is a client that counts who waits for an answer.
type counting struct {
	rueidis.Client
	waiting *atomic.Int64
}

func (c counting) Do(ctx context.Context, command rueidis.Completed) rueidis.RedisResult {
	c.waiting.Add(1)
	result := c.Client.Do(ctx, command)
	c.waiting.Add(-1)
	return result
}

// yielding is a connection of such a client. What is queued while it lets others go first
// is in its next write.
type yielding struct {
	net.Conn
	waiting *atomic.Int64
}

func (y yielding) Write(b []byte) (int, error) {
	if y.waiting.Load() > crowd {
		runtime.Gosched()
	}
	return y.Conn.Write(b)
}
