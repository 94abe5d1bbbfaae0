package cli

import (
	"fmt"
	"strconv"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"roompulse/internal/store"
)

func (a *app) gapCommand() *cli.Command {
	return &cli.Command{
		Name:  "gap",
		Usage: "list the spans of time that sync could not complete, or accept them",
		Subcommands: []*cli.Command{
			{Name: "list", Usage: "list the gaps, and what becomes of each", Flags: []cli.Flag{portalFlag}, Action: a.gapList},
			{
				Name:  "accept",
				Usage: "judge members in spite of a gap: reports go on printing it, but it makes nobody unknown",
				// cli takes flags before arguments only.
				ArgsUsage: "ID",
				Flags: []cli.Flag{
					portalFlag,
					&cli.StringFlag{Name: "reason", Usage: "`TEXT` that says why; it is kept with the gap"},
				},
				Action: a.gapAccept,
			},
		},
	}
}

func (a *app) withPortal(c *cli.Context, f func(*store.Reader) error) error {
	st, err := a.readyWarehouse(c.Context)
	if err != nil {
		return err
	}
	defer st.Close()
	portal, err := selectedPortal(c.Context, c, st)
	if err != nil {
		return err
	}
	return f(st.Reader(portal))
}

func (a *app) gapList(c *cli.Context) error {
	return a.withPortal(c, func(r *store.Reader) error {
		coverage, err := r.Coverage(c.Context)
		if err != nil {
			return err
		}
		if len(coverage.Gaps) == 0 {
			fmt.Fprintln(a.stderr, "There are no gaps.")
		}
		out := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		for _, gap := range coverage.Gaps {
			state := "sync tries again daily"
			switch {
			case gap.Accepted:
				state = "accepted: " + gap.AcceptReason
			case gap.Lost:
				state = "lost"
			}
			fmt.Fprintf(out, "%d\t%s to %s\t%s\t%s\n", gap.ID, instant(gap.From), instant(gap.To), state, gap.Cause)
		}
		return out.Flush()
	})
}

func (a *app) gapAccept(c *cli.Context) error {
	id, err := strconv.ParseInt(c.Args().First(), 10, 32)
	if err != nil || c.NArg() != 1 {
		return usageOf(c, "give the number of one gap, as `roompulse gap list` shows it, after the flags")
	}
	if c.String("reason") == "" {
		return usageOf(c, "say why with --reason, before the gap's number")
	}
	return a.withPortal(c, func(r *store.Reader) error {
		err := r.AcceptGap(c.Context, int32(id), c.String("reason"), a.now()) //nolint:gosec // parsed as 32 bits
		if err == nil {
			fmt.Fprintf(a.stderr, "Gap %d is accepted: it makes nobody unknown any more.\n", id)
		}
		return err
	})
}
