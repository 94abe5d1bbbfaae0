// Command roompulse keeps the audit trail of ONLYOFFICE DocSpace portals in
// PostgreSQL and tells who in a room is not there any more.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // --time-zone works on machines without a zone database

	"roompulse/internal/cli"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once, but not within a second: timeout(1)
	// sends the first one twice.
	context.AfterFunc(ctx, func() { time.AfterFunc(time.Second, stop) })
	return cli.Run(ctx, os.Args, os.Stdout, os.Stderr, version)
}
