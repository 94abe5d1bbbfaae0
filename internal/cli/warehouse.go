package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"roompulse/internal/audit"
	"roompulse/internal/config"
	"roompulse/internal/docspace"
	"roompulse/internal/localpg"
	"roompulse/internal/store"
)

// warehouse opens the database that DATABASE_URL names, or else the private
// server, which is started if it does not run.
func (a *app) warehouse(ctx context.Context, log *slog.Logger) (st *store.Store, private bool, err error) {
	url, err := config.DatabaseURL()
	if err != nil {
		return nil, false, err
	}
	if url == "" {
		private = true
		server, err := localpg.New(localpg.Config{Logger: log})
		if err != nil {
			return nil, true, err
		}
		if err := server.Start(ctx); err != nil {
			return nil, true, err
		}
		url = config.Secret(server.URL())
	}
	st, err = store.Open(ctx, string(url))
	return st, private, err
}

// readyWarehouse opens a database whose schema is this version's.
func (a *app) readyWarehouse(ctx context.Context) (*store.Store, error) {
	st, private, err := a.warehouse(ctx, a.logger(false))
	if err != nil {
		return nil, err
	}
	if err := st.CheckSchema(ctx); err != nil {
		st.Close()
		if private && errors.Is(err, store.ErrNotMigrated) { // sync migrates it by itself
			return nil, errors.New("the private database has nothing for this version yet: run `roompulse sync`")
		}
		return nil, err
	}
	return st, nil
}

// migratedWarehouse is readyWarehouse for sync: an empty database is made
// ready, and so is a private one, which is nobody else's.
func (a *app) migratedWarehouse(ctx context.Context, log *slog.Logger) (*store.Store, error) {
	st, private, err := a.warehouse(ctx, log)
	if err != nil {
		return nil, err
	}
	if err := a.migrateIfOurs(ctx, st, private, log); err != nil {
		st.Close()
		return nil, err
	}
	return st, nil
}

func (a *app) migrateIfOurs(ctx context.Context, st *store.Store, private bool, log *slog.Logger) error {
	err := st.CheckSchema(ctx)
	if !errors.Is(err, store.ErrNotMigrated) {
		return err
	}
	if !private {
		empty, emptyErr := st.Empty(ctx)
		if emptyErr != nil {
			return emptyErr
		}
		if !empty {
			return err
		}
	}
	applied, err := st.MigrateUp(ctx)
	if err == nil {
		log.InfoContext(ctx, "database migrated", slog.Int("migrations", len(applied)))
	}
	return err
}

var portalFlag = &cli.StringFlag{
	Name: "portal", Usage: "`HOST` of the portal, such as acme.onlyoffice.com (default: the only one in the database)",
	EnvVars: []string{"DOCSPACE_API_HOST"},
}

func allowHTTP() bool { return os.Getenv("ROOMPULSE_ALLOW_HTTP") == "1" }

// parseHost is docspace.ParseHost for what a user typed.
func parseHost(host string) (string, error) {
	base, err := docspace.ParseHost(host, allowHTTP())
	if err != nil {
		return "", audit.UsageError(err.Error())
	}
	return base, nil
}

// findPortal completes how to reach the portal that a command that asks it is
// about. Without a host it is the only one in the database, as for those that read.
func (a *app) findPortal(ctx context.Context, p *config.Portal) error {
	var keyErr error
	if p.Key, keyErr = config.PortalKey(); keyErr == nil && p.Host == "" {
		var err error
		if p.Host, err = a.onlyPortal(ctx); err != nil {
			return err
		}
	}
	if err := p.Validate(); err != nil {
		return err
	}
	return keyErr
}

// onlyPortal is the host of the only portal in the database, empty if there is none.
func (a *app) onlyPortal(ctx context.Context) (string, error) {
	st, _, err := a.warehouse(ctx, a.logger(false))
	if err != nil {
		return "", err
	}
	defer st.Close()
	if err := st.CheckSchema(ctx); err != nil {
		if errors.Is(err, store.ErrNotMigrated) { // nothing was ever synced, or sync will say what to do
			return "", nil
		}
		return "", err
	}
	portals, err := st.Portals(ctx)
	if err != nil || len(portals) == 0 {
		return "", err
	}
	portal, err := choosePortal(portals, "")
	return portal.Host, err
}

// selectedPortal finds the portal that a command that reads is about.
func selectedPortal(ctx context.Context, c *cli.Context, st *store.Store) (store.Portal, error) {
	host := c.String("portal")
	if host != "" {
		var err error
		if host, err = parseHost(host); err != nil {
			return store.Portal{}, err
		}
	}
	portals, err := st.Portals(ctx)
	switch {
	case err != nil:
		return store.Portal{}, err
	case len(portals) == 0:
		return store.Portal{}, audit.Usagef("the database has no portal yet: run `roompulse sync`; if it fails, `roompulse doctor` says why")
	}
	return choosePortal(portals, host)
}

// choosePortal returns the portal at the host; an empty one stands for the only portal.
func choosePortal(portals []store.Portal, host string) (store.Portal, error) {
	if host == "" && len(portals) == 1 {
		return portals[0], nil
	}
	hosts := make([]string, len(portals))
	for i, p := range portals {
		if p.Host == host {
			return p, nil
		}
		hosts[i] = p.Host
	}
	there := strings.Join(hosts, ", ")
	if host == "" {
		return store.Portal{}, audit.Usagef("which portal? give --portal with one of: %s", there)
	}
	return store.Portal{}, audit.Usagef("the database has no portal %s; it has: %s (--portal or DOCSPACE_API_HOST chooses)", host, there)
}
