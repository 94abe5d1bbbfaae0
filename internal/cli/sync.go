package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/urfave/cli/v2"

	"roompulse/internal/audit"
	"roompulse/internal/config"
	"roompulse/internal/docspace"
	"roompulse/internal/ingest"
	"roompulse/internal/store"
)

// syncOptions is what `roompulse sync` was told.
type syncOptions struct {
	portal config.Portal
	since  time.Time
	// restoredAt is when the portal was back after a restore, zero if it was not restored.
	restoredAt time.Time
	every      time.Duration // 0: once
	verbose    bool
}

func (a *app) syncCommand() *cli.Command {
	return &cli.Command{
		Name:  "sync",
		Usage: "read what is new from the portal into the warehouse",
		Description: "Needs DOCSPACE_API_KEY or DOCSPACE_API_KEY_FILE. The first run goes back to the oldest event that the portal has.\n" +
			"It may be broken off and started again at any time: what is complete is not read twice.",
		Flags: []cli.Flag{
			portalFlag,
			&cli.StringFlag{Name: "since", Usage: "go back to `T` only (2026-01-31, 2026-01-31T08:00 or RFC 3339; UTC without an offset)"},
			&cli.StringFlag{
				Name:  "after-restore",
				Usage: "the portal was restored from a backup or moved, and was back at `T`: keep the past as it is here",
			},
			&cli.StringFlag{Name: "every", Usage: "stay, and sync every `DURATION` such as 15m", EnvVars: env("every")},
			&cli.IntFlag{
				Name: "max-requests-per-minute", Usage: "send at most `N` requests a minute; 0: no limit", Value: 1350,
				EnvVars: env("max-requests-per-minute"),
			},
			&cli.IntFlag{Name: "max-parallel", Usage: "send at most `N` requests at once; 0: no limit", Value: 20, EnvVars: env("max-parallel")},
			&cli.BoolFlag{Name: "verbose", Usage: "log every window"},
		},
		Action: func(c *cli.Context) error {
			opts, err := a.readSyncOptions(c)
			if err != nil {
				return err
			}
			return a.sync(c.Context, opts)
		},
	}
}

// pastTime reads a time that must have come: a typing error in a year would
// otherwise close the warehouse until then.
func pastTime(now time.Time, flag, value string) (time.Time, error) {
	t, err := audit.ParseTime(flag, value, time.UTC)
	if err == nil && t.After(now) {
		return t, audit.Usagef("%s %s is in the future: give a time that has passed", flag, value)
	}
	return t, err
}

func (a *app) readSyncOptions(c *cli.Context) (opts syncOptions, err error) {
	now := a.now()
	opts.portal = config.Portal{
		Host: c.String("portal"), AllowHTTP: allowHTTP(),
		MaxRequestsPerMinute: c.Int("max-requests-per-minute"), MaxParallel: c.Int("max-parallel"),
	}
	if err := a.findPortal(c.Context, &opts.portal); err != nil {
		return opts, err
	}
	if since := c.String("since"); since != "" {
		if opts.since, err = pastTime(now, "--since", since); err != nil {
			return opts, err
		}
	}
	if restored := c.String("after-restore"); restored != "" {
		if opts.restoredAt, err = pastTime(now, "--after-restore", restored); err != nil {
			return opts, err
		}
	}
	if every := c.String("every"); every != "" {
		if opts.every, err = audit.ParseDuration("--every", every); err != nil {
			return opts, err
		}
		if opts.every < time.Second {
			return opts, audit.Usagef("--every %s is too often: give at least 1s", every)
		}
	}
	opts.verbose = c.Bool("verbose")
	return opts, nil
}

func (a *app) sync(ctx context.Context, opts syncOptions) error {
	log := a.logger(opts.verbose)
	client, err := a.newClient(opts.portal, log)
	if err != nil {
		return err
	}
	st, err := a.migratedWarehouse(ctx, log)
	if err != nil {
		return err
	}
	defer st.Close()
	if opts.every == 0 {
		return a.syncOnce(ctx, client, st, opts, log)
	}
	return a.syncEvery(ctx, client, st, opts, log)
}

func (a *app) newClient(p config.Portal, log *slog.Logger) (*docspace.Client, error) {
	client, err := docspace.New(docspace.Config{
		Host: p.Host, Key: string(p.Key), AllowHTTP: p.AllowHTTP, MaxRequestsPerMinute: p.MaxRequestsPerMinute,
		MaxParallel: p.MaxParallel, Logger: log, UserAgent: "roompulse/" + a.version, FirstRetry: a.firstRetry,
	})
	if err != nil {
		return nil, audit.UsageError(err.Error()) // nothing was asked yet: a setting is wrong
	}
	return client, nil
}

// syncEvery syncs until the process is told to stop. Only a refusal at the
// first run ends it: later ones may be mended while it runs.
func (a *app) syncEvery(ctx context.Context, client *docspace.Client, st *store.Store, opts syncOptions, log *slog.Logger) error {
	for first := true; ; first = false {
		err := a.syncOnce(ctx, client, st, opts, log)
		if err == nil {
			opts.restoredAt = time.Time{} // said once
		}
		switch {
		case interrupted(ctx):
			return nil
		case first && (errors.Is(err, audit.ErrRefused) || exitCode(err) == exitUsage):
			return err
		case err != nil:
			log.ErrorContext(ctx, "sync failed; the next one comes", slog.Any("error", err), slog.Duration("every", opts.every))
		}
		// A tenth of jitter keeps many installations from asking at once.
		pause := opts.every + time.Duration(rand.Int64N(int64(opts.every)/10+1)) //nolint:gosec // no secret
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

func interrupted(ctx context.Context) bool { return ctx.Err() != nil }

func (a *app) syncOnce(ctx context.Context, client *docspace.Client, st *store.Store, opts syncOptions, log *slog.Logger) error {
	w, err := st.OpenWriter(ctx, client.BaseURL(), func(ctx context.Context) (string, error) { return ownerID(ctx, client) }, a.now())
	if err != nil {
		return explainLock(err)
	}
	defer w.Close()
	syncer := ingest.New(client, w, ingest.Options{
		Version: a.version, Since: opts.since, RestoredAt: opts.restoredAt, Now: a.now, Parallel: parallelReaders(opts.portal.MaxParallel), Logger: log,
		Progress: a.stderr.progress(ctx, log),
	})
	result, err := syncer.Run(ctx)
	err = w.Explain(err)
	a.stderr.done()
	if err == nil || result.Windows > 0 { // else the error says it all
		fmt.Fprintln(a.stderr, syncSummary(client.BaseURL(), result))
	}
	return err
}

// explainLock adds what to do about a portal that somebody else writes.
func explainLock(err error) error {
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("%w; wait for its end, `roompulse status` shows the runs of sync", err)
	}
	return err
}

// ownerID is the account that recognizes a portal when its host changes.
func ownerID(ctx context.Context, client *docspace.Client) (string, error) {
	accounts, err := client.Accounts(ctx)
	if err != nil {
		return "", err
	}
	for _, a := range accounts {
		if a.Owner {
			return a.ID, nil
		}
	}
	return "", fmt.Errorf("%s lists %d people and none as its owner", client.BaseURL(), len(accounts))
}

// parallelReaders is how many windows are read at once. Each takes memory for
// its rows, so there are at most 20 of them however many requests may be sent.
func parallelReaders(maxParallel int) int {
	const most = 20
	if maxParallel == 0 || maxParallel > most {
		return most
	}
	return maxParallel
}

func syncSummary(host string, r audit.RunResult) string {
	outcome := string(r.Outcome)
	if r.Outcome == audit.RunInterrupted {
		outcome += ", the next sync goes on from here"
	}
	return fmt.Sprintf("%s: %s; %s, %s, %s", host, outcome, count(r.EventsNew, "new event"), count(r.Windows, "window"), count(r.Requests, "request"))
}

func count[N int32 | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
