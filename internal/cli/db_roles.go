package cli

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"roompulse/internal/audit"
	"roompulse/internal/config"
	"roompulse/internal/store"
)

func (a *app) dbRolesCommand() *cli.Command {
	return &cli.Command{
		Name:  "roles",
		Usage: "set up " + store.AnalystRole + ", a role that may read the views of the schema analytics and nothing else",
		Description: "Makes the role, unless the server has it, lets it read the views of this database, and takes from everybody\n" +
			"(PUBLIC) the right to connect to this database. It may be run again at any time. If the role in DATABASE_URL\n" +
			"may not do all that, nothing is changed, and the SQL is printed for somebody who may.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "print", Usage: "print the SQL and change nothing"},
		},
		Action: func(c *cli.Context) error {
			st, private, err := a.rolesWarehouse(c)
			if err != nil {
				return err
			}
			defer st.Close()
			if c.Bool("print") {
				return a.printRoles(c, st, private)
			}
			if err := st.SetUpRoles(c.Context, private); errors.Is(err, store.ErrNotAllowed) {
				if printErr := a.printRoles(c, st, private); printErr != nil {
					return printErr
				}
				return fmt.Errorf("%w; nothing is changed: let somebody who may run the SQL on stdout, in this database", err)
			} else if err != nil {
				return err
			}
			if err := a.tellAnalystRights(c, st); err != nil {
				return err
			}
			if !private {
				fmt.Fprintf(a.stdout, "To log in as it, give it a password (in psql: \\password %[1]s); to let a role of yours read: GRANT %[1]s TO ...\n", store.AnalystRole)
			}
			return nil
		},
	}
}

func (a *app) tellAnalystRights(c *cli.Context, st *store.Store) error {
	excess, err := st.RoleExcess(c.Context, store.AnalystRole)
	if err != nil {
		return err
	}
	if len(excess) == 0 {
		fmt.Fprintf(a.stdout, "%s may read the views of the schema analytics, and nothing else.\n", store.AnalystRole)
		return nil
	}
	fmt.Fprintf(a.stdout, "%s may read the views of the schema analytics.\n", store.AnalystRole)
	for _, may := range excess {
		fmt.Fprintf(a.stderr, "It should do no more, but may also %s.\n", may)
	}
	return nil
}

// rolesWarehouse is readyWarehouse, and says whether the server is the private one.
func (a *app) rolesWarehouse(c *cli.Context) (st *store.Store, private bool, err error) {
	database, err := config.DatabaseURL()
	if err != nil {
		return nil, false, err
	}
	st, err = a.readyWarehouse(c.Context)
	return st, database == "", err
}

func (a *app) printRoles(c *cli.Context, st *store.Store, private bool) error {
	sql, err := st.RolesSQL(c.Context, private)
	if err != nil {
		return err
	}
	fmt.Fprint(a.stdout, sql)
	return nil
}

// dbAnalystURL prints a URL for analysts, whose role is set up first.
func (a *app) dbAnalystURL(c *cli.Context) error {
	st, private, err := a.rolesWarehouse(c)
	if err != nil {
		return err
	}
	defer st.Close()
	if !private {
		return audit.Usagef("--role analyst is for the private server; DATABASE_URL is set, and roompulse does not know the password of %s: "+
			"after `roompulse db roles`, put both into a URL of your own", store.AnalystRole)
	}
	if err := st.SetUpRoles(c.Context, private); err != nil {
		return err
	}
	server, err := a.localServer()
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, server.URLFor(store.AnalystRole))
	return nil
}
