package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"roompulse/internal/audit"
	"roompulse/internal/config"
	"roompulse/internal/demoportal"
	"roompulse/internal/demoportal/world"
	"roompulse/internal/demoportal/worldgen"
	"roompulse/internal/localpg"
	"roompulse/internal/report"
	"roompulse/internal/store"
)

func (a *app) demoCommand() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "show all of it on an invented portal: needs no account, keeps nothing",
		Description: "Starts a simulated DocSpace portal and a PostgreSQL server of its own, syncs the one into the other,\n" +
			"reports who is inactive, and removes both again; with --stay when it is told to stop.",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "events", Usage: "about `N` events in the portal's past, some hundred at the least", Value: 20_000},
			&cli.Uint64Flag{Name: "seed", Usage: "another `SEED` makes another portal", Value: 1},
			&cli.BoolFlag{Name: "stay", Usage: "stay until Ctrl-C, to try other commands in another terminal"},
		},
		Action: func(c *cli.Context) error {
			if c.Int("events") < 1 {
				return audit.Usagef("--events %d: give a positive number", c.Int("events"))
			}
			return a.demo(c.Context, demoOptions{events: c.Int("events"), seed: c.Uint64("seed"), stay: c.Bool("stay")})
		},
	}
}

type demoOptions struct {
	events int
	seed   uint64
	stay   bool
}

func (a *app) demo(ctx context.Context, o demoOptions) (err error) {
	log := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	// Whoever reads the output may stop reading: that fails a write, but must not end the
	// process before its server is stopped.
	signal.Ignore(syscall.SIGPIPE)

	now := a.now().Truncate(time.Second)
	host, events, closePortal, err := startPortal(ctx, o.events, o.seed, now)
	if err != nil {
		return fmt.Errorf("start the invented portal: %w", err)
	}
	defer closePortal()
	a.step("An invented portal with %s, at a local address", count(int64(events), "event"))

	a.step("A PostgreSQL server of its own")
	server, stop, err := a.startDemoServer(ctx, log)
	if err != nil {
		return err
	}
	defer func() {
		stopErr := stop()
		if stopErr != nil && interrupted(ctx) { // then errors are not told otherwise
			a.step("%s", oneLine(stopErr))
		}
		err = errors.Join(err, stopErr)
	}()
	st, err := store.Open(ctx, server.URL())
	if err != nil {
		return err
	}
	defer st.Close()

	a.step("roompulse migrate up")
	if _, err := st.MigrateUp(ctx); err != nil {
		return err
	}

	a.step("roompulse sync")
	opts := syncOptions{portal: config.Portal{Host: host, Key: demoportal.DefaultKey, MaxParallel: 20}}
	client, err := a.newClient(opts.portal, log)
	if err != nil {
		return err
	}
	if err := a.syncOnce(ctx, client, st, opts, log); err != nil {
		return err
	}

	a.step("roompulse report inactive --last 30d")
	if err := a.demoReport(ctx, st, client.BaseURL()); err != nil {
		return err
	}
	if !o.stay {
		a.step("That was all; --stay leaves time for other commands. The README says how to point roompulse at your own portal")
		return nil
	}
	if err := st.SetUpRoles(ctx, true); err != nil {
		return err
	}
	a.step("The portal and the server stay until Ctrl-C. In another terminal:\n\n" +
		tryOut(client.BaseURL(), server.URL(), server.URLFor(store.AnalystRole)))
	<-ctx.Done()
	return nil
}

// tryOut is what to type to use the demo. Its key and its database hold nothing
// that is secret.
func tryOut(portal, database, analyst string) string {
	var find string
	if _, err := exec.LookPath("roompulse"); err != nil { // as after make demo
		if self, err := os.Executable(); err == nil {
			find = fmt.Sprintf("    export PATH=\"%s:$PATH\"\n", filepath.Dir(self))
		}
	}
	return find + fmt.Sprintf(`    export DOCSPACE_API_HOST=%s
    export DOCSPACE_API_KEY=%s
    export DATABASE_URL='%s'

    roompulse report inactive --last 90d --output inactive.html
    roompulse report activity --last 7d
    roompulse remind --last 30d
    roompulse status
    roompulse sync
    psql '%s' -c 'SELECT * FROM portals'`, portal, demoportal.DefaultKey, database, analyst)
}

// step says what comes next.
func (a *app) step(format string, args ...any) {
	fmt.Fprintf(a.stderr, "\n==> "+format+"\n", args...)
}

func (a *app) demoReport(ctx context.Context, st *store.Store, host string) error {
	portal, err := st.Portal(ctx, host)
	if err != nil {
		return err
	}
	reader := st.Reader(portal)
	coverage, err := reader.Coverage(ctx)
	if err != nil {
		return err
	}
	window, err := audit.WindowArgs{Last: "30d"}.Resolve(a.now(), coverage.CompleteUntil())
	if err != nil {
		return err
	}
	r, err := report.Inactive(ctx, reader, report.InactiveQuery{
		Window: window, Guests: report.GuestsInclude, MinActivity: 1, Activity: audit.FilterAny,
		Grace: 14 * 24 * time.Hour, Now: a.now(), MaxLag: 24 * time.Hour,
	})
	if err != nil {
		return err
	}
	table, err := report.ParseFormat("table", "")
	if err != nil {
		return err
	}
	return table.WriteInactive(a.stdout, r, a.reportOptions())
}

// startPortal serves an invented portal whose last event is an hour old. It has about as many events as are asked
// for: people and rooms take some, some acts leave two, and of the newest some are written late, as in DocSpace.
func startPortal(ctx context.Context, about int, seed uint64, now time.Time) (host string, events int, closePortal func(), err error) {
	w := worldgen.New(worldgen.Config{Seed: seed, Events: about, End: now.Add(-time.Hour)})
	w.Read(now, func(v world.View) {
		from, to := v.Window(time.Time{}, time.Time{})
		events = to - from
	})
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", 0, nil, err
	}
	server := &http.Server{Handler: demoportal.New(w, demoportal.Options{}), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // ends with an error when it is closed
	return "http://" + listener.Addr().String(), events, func() { _ = server.Close() }, nil
}

// startDemoServer starts a server in a temporary folder; stop removes both.
func (a *app) startDemoServer(ctx context.Context, log *slog.Logger) (server *localpg.Server, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "roompulse-demo-")
	if err != nil {
		return nil, nil, fmt.Errorf("make a folder for the demo: %w", err)
	}
	remove := func() error { return os.RemoveAll(dir) }
	if os.Geteuid() == 0 { // the server runs as another user, who must get in
		if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // an empty folder with a name of its own
			return nil, nil, errors.Join(err, remove())
		}
	}
	server, err = localpg.New(localpg.Config{Dir: filepath.Join(dir, "postgres"), Logger: log, Settings: map[string]string{"fsync": "off"}})
	if err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	stop = func() error {
		// Ctrl-C must not leave the server behind.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			return fmt.Errorf("stop the demo's PostgreSQL, whose data stay in %s: %w", dir, err)
		}
		return remove()
	}
	if err := server.Start(ctx); err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	return server, stop, nil
}
