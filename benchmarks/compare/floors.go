package compare

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
)

// Floor is what a server can do for the load generator that comes with it.
type Floor struct {
	Command   string
	Pipeline  int // commands that a client sends before it reads the answers
	PerSecond float64
}

// Floors are measured with as many clients as the base has, by so many commands
// each for one without a pipeline.
func floors(ctx context.Context, addr string, requests int) ([]Floor, error) {
	path, err := redisBenchmark()
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	var all []Floor
	for _, pipeline := range []int{1, 64} {
		command := exec.CommandContext(ctx, path, "-h", host, "-p", port, "--csv", "-t", "set,get",
			"-c", strconv.Itoa(baseClients), "-d", strconv.Itoa(baseValue), "-r", "16384",
			"-P", strconv.Itoa(pipeline), "-n", strconv.Itoa(requests*min(pipeline, 8)))
		out, err := command.Output()
		if err != nil {
			return nil, fmt.Errorf("%v: %w", command.Args, err)
		}
		found, err := parseFloors(out, pipeline)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func redisBenchmark() (string, error) {
	for _, name := range []string{"redis-benchmark", "valkey-benchmark"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no redis-benchmark on this machine: it comes with redis-server, see scripts/install-redis.sh")
}

// parseFloors reads a table with a head, of which the first two columns are the
// command and how many of it there were a second.
func parseFloors(out []byte, pipeline int) ([]Floor, error) {
	rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("the output of redis-benchmark: %w", err)
	}
	var all []Floor
	for _, row := range rows[min(1, len(rows)):] {
		if len(row) < 2 {
			return nil, fmt.Errorf("redis-benchmark has written no table:\n%s", out)
		}
		perSecond, err := strconv.ParseFloat(row[1], 64)
		if err != nil {
			return nil, fmt.Errorf("the output of redis-benchmark: %w", err)
		}
		all = append(all, Floor{row[0], pipeline, rounded(perSecond)})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("redis-benchmark has measured nothing:\n%s", out)
	}
	return all, nil
}

// Nanoseconds is a command's share of the time.
func (f Floor) Nanoseconds() float64 { return 1e9 / f.PerSecond }
