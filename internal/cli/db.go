package cli

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"github.com/urfave/cli/v2"

	"roompulse/internal/audit"
	"roompulse/internal/config"
	"roompulse/internal/localpg"
	"roompulse/internal/store"
)

func (a *app) dbCommand() *cli.Command {
	return &cli.Command{
		Name:  "db",
		Usage: "run the private PostgreSQL server, which is used when DATABASE_URL is not set; set up roles for analysts",
		Subcommands: []*cli.Command{
			{Name: "start", Usage: "start the private server, unless it runs", Action: a.dbStart},
			{Name: "stop", Usage: "stop the private server; the next command that needs it starts it again", Action: a.dbStop},
			{Name: "status", Usage: "say whether the private server runs, and where its data are", Action: a.dbStatus},
			{
				Name: "url", Usage: "print the URL of the database in use, for other programs", Action: a.dbURL,
				Flags: []cli.Flag{&cli.StringFlag{
					Name: "role", Value: "owner",
					Usage: "`ROLE` to connect as: owner or, on the private server, analyst, who may read the views of analytics only",
				}},
			},
			{Name: "psql", Usage: "open psql on the database in use", ArgsUsage: "[-- ARGUMENTS OF PSQL]", Action: a.dbPsql},
			a.dbRolesCommand(),
		},
	}
}

func (a *app) localServer() (*localpg.Server, error) {
	return localpg.New(localpg.Config{Logger: a.logger(false)})
}

func (a *app) dbStart(c *cli.Context) error {
	server, err := a.localServer()
	if err != nil {
		return err
	}
	if err := server.Start(c.Context); err != nil {
		return err
	}
	return a.dbStatus(c)
}

func (a *app) dbStop(c *cli.Context) error {
	server, err := a.localServer()
	if err != nil {
		return err
	}
	status, err := server.Status(c.Context)
	if err != nil {
		return err
	}
	done := "was not running"
	if status.Running {
		if err := refuseIfSyncing(c.Context, server.URL()); err != nil {
			return err
		}
		done = "is stopped"
	}
	if err := server.Stop(c.Context); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "The private server %s.\n", done)
	return nil
}

// refuseIfSyncing returns ErrLocked if the server is in use by a sync. A server that
// cannot be asked is in use by nobody.
func refuseIfSyncing(ctx context.Context, url string) error {
	st, err := store.Open(ctx, url)
	if err != nil {
		return nil
	}
	defer st.Close()
	if syncing, err := st.Syncing(ctx); err != nil || len(syncing) == 0 {
		return err
	}
	return fmt.Errorf("%w: a sync is running on the private server; end it first, which is safe at any time", store.ErrLocked)
}

func (a *app) dbStatus(c *cli.Context) error {
	server, err := a.localServer()
	if err != nil {
		return err
	}
	status, err := server.Status(c.Context)
	if err != nil {
		return err
	}
	if status.Running {
		fmt.Fprintf(a.stdout, "running, PostgreSQL %s, process %d\n", status.Version, status.PID)
	} else {
		fmt.Fprintln(a.stdout, "not running")
	}
	fmt.Fprintf(a.stdout, "data    %s (%s)\nsocket  %s\nlog     %s\n",
		status.DataDir, byteSize(status.DataSize), status.SocketDir, status.LogFile)
	if url, err := config.DatabaseURL(); err == nil && url != "" {
		fmt.Fprintln(a.stdout, "It is not in use: DATABASE_URL is set.")
	}
	return nil
}

// databaseURL is the URL of the database in use, its server started if it is the private one.
func (a *app) databaseURL(c *cli.Context) (string, error) {
	url, err := config.DatabaseURL()
	if err != nil || url != "" {
		return string(url), err
	}
	server, err := a.localServer()
	if err != nil {
		return "", err
	}
	if err := server.Start(c.Context); err != nil {
		return "", err
	}
	return server.URL(), nil // known for sure once it runs
}

func (a *app) dbURL(c *cli.Context) error {
	role := c.String("role")
	switch role {
	case "owner":
	case "analyst":
		return a.dbAnalystURL(c)
	default:
		return audit.Usagef("--role %q is not known: write owner or analyst", role)
	}
	url, err := a.databaseURL(c)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, url)
	return nil
}

// dbPsql becomes psql. The URL goes through the environment: it may have a
// password, and arguments are seen by other users of the machine.
func (a *app) dbPsql(c *cli.Context) error {
	url, err := a.databaseURL(c)
	if err != nil {
		return err
	}
	server, err := a.localServer()
	if err != nil {
		return err
	}
	path, err := server.Psql(c.Context)
	if err != nil {
		return err
	}
	args, env, err := psqlCommand(path, url, c.Args().Slice())
	if err != nil {
		return err
	}
	return syscall.Exec(path, args, append(os.Environ(), env...)) //nolint:gosec // the system's own psql
}

func byteSize(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, suffix := float64(n)/unit, 0
	for value >= unit && suffix < 3 {
		value /= unit
		suffix++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGT"[suffix])
}
