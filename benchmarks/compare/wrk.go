package compare

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

//go:embed wrk.lua
var wrkScript []byte

// wrk is the load generator, with its files in a folder.
type wrk struct {
	path, dir, script string
}

func findWrk(dir string) (*wrk, error) {
	path, err := exec.LookPath("wrk")
	if err != nil {
		return nil, errors.New("no wrk on this machine: install it with scripts/install-wrk.sh")
	}
	w := &wrk{path, dir, filepath.Join(dir, "wrk.lua")}
	if err := os.WriteFile(w.script, wrkScript, 0o600); err != nil {
		return nil, fmt.Errorf("preparing wrk: %w", err)
	}
	return w, nil
}

// cookies writes those of a site's visitors to a file, and returns its name.
func (w *wrk) cookies(site string, cookies []string) (string, error) {
	name := filepath.Join(w.dir, site+".cookies")
	if err := os.WriteFile(name, []byte(strings.Join(cookies, "\n")+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("preparing wrk: %w", err)
	}
	return name, nil
}

// load keeps connections busy for some whole seconds, and returns how many
// requests were answered in one.
func (w *wrk) load(ctx context.Context, url, cookies string, connections int, lasts time.Duration) (perSecond float64, err error) {
	command := exec.CommandContext(ctx, w.path, "-t", "1", "-c", strconv.Itoa(connections),
		"-d", strconv.Itoa(int(lasts.Seconds()))+"s", "-s", w.script, url, "--", cookies)
	out, err := command.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	return parseLoad(string(out))
}

// parseLoad reads the line that the script writes at the end: how many requests in
// how many microseconds, and how many failed.
func parseLoad(out string) (perSecond float64, err error) {
	for line := range strings.Lines(out) {
		var requests, micros, failed float64
		if _, err := fmt.Sscanf(line, "total %f %f %f", &requests, &micros, &failed); err != nil {
			continue
		}
		if failed > 0 || requests == 0 || micros == 0 {
			return 0, fmt.Errorf("wrk: %.0f requests, of which %.0f failed", requests, failed)
		}
		return requests / micros * 1e6, nil
	}
	return 0, fmt.Errorf("wrk has counted nothing:\n%s", out)
}
