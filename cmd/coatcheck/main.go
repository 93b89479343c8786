// Command coatcheck runs coatcheck as a service for programs in any language.
//
// Usage:
//
//	coatcheck serve [flags]
//	coatcheck bench --store STORE [flags]
//	coatcheck keys new|list|add|promote|retire FILE [ID]
//	coatcheck version
//
// Each flag of serve and bench can also be given as an environment variable; --help
// names them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// commands is the command line. Each command has a file of its own.
type commands struct {
	Serve   serveCommand   `cmd:"" help:"Run the service until SIGINT or SIGTERM."`
	Bench   benchCommand   `cmd:"" help:"Measure a store under load, with sessions of its own, see docs/BENCH.md."`
	Keys    keysCommand    `cmd:"" help:"Make and change the keys that values are sealed with, see docs/ENCRYPTION.md."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

// streams are what a command may write to.
type streams struct{ out, err io.Writer }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], streams{os.Stdout, os.Stderr}); err != nil {
		fmt.Fprintln(os.Stderr, "coatcheck:", strings.TrimPrefix(err.Error(), "coatcheck: "))
		os.Exit(1)
	}
}

// run executes the command that args name.
func run(ctx context.Context, args []string, std streams) error {
	var cli commands
	parser, err := kong.New(&cli,
		kong.Name("coatcheck"),
		kong.Description("Hand over a value, get a token; show the token, get the value back."),
		kong.Writers(std.out, std.err),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std),
	)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	switch {
	case err != nil && (strings.HasPrefix(err.Error(), "unexpected argument") || strings.Contains(err.Error(), "://")):
		// Not repeated: it may be the URL of a store, with a password.
		return errors.New("unexpected argument or value: settings are given as --name=value (see coatcheck --help)")
	case err != nil:
		return fmt.Errorf("%w (see coatcheck --help)", err)
	}
	return command.Run()
}
