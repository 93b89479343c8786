package compare

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// server is the Redis server of one subject, seen from aside.
type server struct {
	addr   string
	client rueidis.Client
	asked  int64 // how often for the number of commands
}

func dial(addr string) (*server, error) {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true})
	if err != nil {
		return nil, fmt.Errorf("connecting to Redis at %s: %w", addr, err)
	}
	return &server{addr: addr, client: client}, nil
}

func (s *server) flush() error {
	if err := s.client.Do(context.Background(), s.client.B().Flushall().Sync().Build()).Error(); err != nil {
		return fmt.Errorf("emptying Redis: %w", err)
	}
	return nil
}

// commands returns how many the server has ever carried out, those of scripts too, but
// without the questions for it.
func (s *server) commands() (int64, error) {
	text, err := s.info("stats", "total_commands_processed")
	if err != nil {
		return 0, err
	}
	total, err := strconv.ParseInt(text, 10, 64)
	total -= s.asked
	s.asked++
	return total, err
}

func (s *server) version() (string, error) { return s.info("server", "redis_version") }

func (s *server) info(section, field string) (string, error) {
	info, err := s.client.Do(context.Background(), s.client.B().Info().Section(section).Build()).ToString()
	if err != nil {
		return "", fmt.Errorf("asking Redis for its state: %w", err)
	}
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("no %s in what Redis says of its state", field)
}
