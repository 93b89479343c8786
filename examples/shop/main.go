// Command shop is a small shop, on package net/http alone, whose visitors'
// carts and logins live in coatcheck's sessions.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/coatcheck/coatcheck"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "where to listen: `host:port`; browsers keep the cookie\nfor this machine only, unless there is TLS in front")
	store := flag.String("store", "sqlite:./shop.db", "`where` sessions live: sqlite:PATH, memory: or redis://HOST:PORT")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *store, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
}

// run keeps the shop open until ctx ends.
func run(ctx context.Context, listen, storeName string, out io.Writer) (err error) {
	store, kind, err := openStore(ctx, storeName)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	manager, err := coatcheck.New(managerConfig(store))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, manager.Close()) }()

	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	handler, err := newShop(manager, shopConfig{
		ServedBy: fmt.Sprintf("process %d at %s, sessions in %s", os.Getpid(), listener.Addr(), kind),
		Closing:  ctx.Done(),
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}

	// No WriteTimeout: it would cut the event streams.
	server := &http.Server{Handler: handler, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	fmt.Fprintf(out, "The shop is open: http://%s\n", listener.Addr())

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		inTime, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return server.Shutdown(inTime)
	}
}
