package cli

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

func (a *app) portalCommand() *cli.Command {
	return &cli.Command{
		Name:  "portal",
		Usage: "list the portals in the database, or rename one",
		Subcommands: []*cli.Command{
			{Name: "list", Usage: "list the portals that have been synced", Action: a.portalList},
			{
				Name: "rename", Usage: "give a portal that has moved its new host; its data stay", ArgsUsage: "OLD NEW",
				Action: a.portalRename,
			},
		},
	}
}

func (a *app) portalList(c *cli.Context) error {
	st, err := a.readyWarehouse(c.Context)
	if err != nil {
		return err
	}
	defer st.Close()
	portals, err := st.Portals(c.Context)
	if err != nil {
		return err
	}
	for _, p := range portals {
		fmt.Fprintln(a.stdout, p.Host)
	}
	return nil
}

func (a *app) portalRename(c *cli.Context) error {
	if c.NArg() != 2 {
		return usageOf(c, "give the old host and the new one")
	}
	hosts := make([]string, 2)
	for i := range hosts {
		var err error
		if hosts[i], err = parseHost(c.Args().Get(i)); err != nil {
			return err
		}
	}
	st, err := a.readyWarehouse(c.Context)
	if err != nil {
		return err
	}
	defer st.Close()
	if err := st.RenamePortal(c.Context, hosts[0], hosts[1]); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s is now %s\n", hosts[0], hosts[1])
	return nil
}
