package cli

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"roompulse/internal/store"
)

func (a *app) migrateCommand() *cli.Command {
	return &cli.Command{
		Name:  "migrate",
		Usage: "bring the database's schema up to date, or back",
		Subcommands: []*cli.Command{
			{Name: "up", Usage: "apply all migrations that are missing", Action: a.migrateUp},
			{
				Name: "down", Usage: "take back the latest migration, and with it the data of its tables",
				Flags:  []cli.Flag{&cli.BoolFlag{Name: "yes", Usage: "really lose the data"}},
				Action: a.migrateDown,
			},
			{Name: "status", Usage: "list the migrations", Action: a.migrateStatus},
		},
	}
}

func (a *app) migrateUp(c *cli.Context) error {
	st, _, err := a.warehouse(c.Context, a.logger(false))
	if err != nil {
		return err
	}
	defer st.Close()
	applied, err := st.MigrateUp(c.Context)
	a.printMigrations("applied", applied)
	if err == nil && len(applied) == 0 {
		fmt.Fprintln(a.stdout, "nothing to do: the schema is up to date")
	}
	return err
}

func (a *app) migrateDown(c *cli.Context) error {
	if !c.Bool("yes") {
		return usageOf(c, "taking back a migration deletes the data of its tables; add --yes")
	}
	st, _, err := a.warehouse(c.Context, a.logger(false))
	if err != nil {
		return err
	}
	defer st.Close()
	undone, err := st.MigrateDown(c.Context)
	a.printMigrations("took back", undone)
	if err == nil && len(undone) == 0 {
		fmt.Fprintln(a.stdout, "nothing to do: no migration is applied")
	}
	return err
}

func (a *app) migrateStatus(c *cli.Context) error {
	st, _, err := a.warehouse(c.Context, a.logger(false))
	if err != nil {
		return err
	}
	defer st.Close()
	list, err := st.Migrations(c.Context)
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, m := range list {
		applied := "missing"
		if !m.Applied.IsZero() {
			applied = m.Applied.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(out, "%s\t%s\n", m.Name, applied)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if err := st.CheckSchema(c.Context); errors.Is(err, store.ErrTooNew) {
		return err // there are more than this version can list
	}
	return nil
}

func (a *app) printMigrations(verb string, list []store.Migration) {
	for _, m := range list {
		fmt.Fprintf(a.stdout, "%s %s\n", verb, m.Name)
	}
}
