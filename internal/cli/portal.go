package cli

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

func (a *app) portalCommand() *cli.Command {
	return &cli.Command{
		Name:  "portal",
		Usage: "the portals of the warehouse",
		Subcommands: []*cli.Command{
			{Name: "list", Usage: "list the portals that have been synced", Action: a.portalList},
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
