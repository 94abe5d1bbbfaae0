package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"roompulse/internal/audit"
	"roompulse/internal/report"
	"roompulse/internal/store"
)

func (a *app) excludeCommand() *cli.Command {
	return &cli.Command{
		Name:  "exclude",
		Usage: "leave people or rooms out of verdicts and reminders, with a reason",
		Subcommands: []*cli.Command{
			{
				Name:  "add",
				Usage: "judge somebody no more; reports say who and why",
				Description: "An exclusion holds for every report inactive and reminder made while it stands, whatever the window. Report\n" +
					"activity counts everybody: it tells what happened, and judges nobody.\n" +
					"Adding one again replaces its reason and end.",
				Flags: []cli.Flag{
					portalFlag,
					&cli.StringFlag{Name: "account", Usage: "the account with `ID|EMAIL`"},
					&cli.StringFlag{Name: "domain", Usage: "everybody with an e-mail address of `DOMAIN`, subdomains not included"},
					&cli.StringFlag{Name: "room", Usage: "everybody in the room with `ID`"},
					&cli.StringFlag{Name: "group", Usage: "everybody who belongs to the group with `ID|NAME`, in all rooms; it must have, or have had, a right in one"},
					&cli.StringFlag{Name: "reason", Usage: "`TEXT` that says why; reports show it"},
					&cli.StringFlag{Name: "until", Usage: "let it end at `T`: 2026-10-01, 2026-10-01T08:00 or RFC 3339 (default: when it is removed)"},
					timeZoneFlag(),
				},
				Action: a.excludeAdd,
			},
			{Name: "list", Usage: "list the exclusions", Flags: []cli.Flag{portalFlag, timeZoneFlag()}, Action: a.excludeList},
			{Name: "remove", Usage: "judge somebody again", ArgsUsage: "ID", Flags: []cli.Flag{portalFlag}, Action: a.excludeRemove},
		},
	}
}

func (a *app) excludeAdd(c *cli.Context) error {
	x, err := a.exclusion(c)
	if err != nil {
		return err
	}
	zone, err := audit.LoadZone(c.String("time-zone"))
	if err != nil {
		return err
	}
	return a.withPortal(c, func(r *store.Reader) error {
		added, err := r.AddExclusion(c.Context, x)
		if err != nil {
			return err
		}
		until := ""
		if !added.ExpiresAt.IsZero() {
			until = fmt.Sprintf(", until %s (%s)", report.Clock(added.ExpiresAt, zone), zone)
		}
		fmt.Fprintf(a.stderr, "Exclusion %d: %s%s. `roompulse exclude remove %d` takes it back.\n", added.ID, report.ExclusionText(added), until, added.ID)
		idle, err := r.WhyIdle(c.Context, added, added.AddedAt)
		if err == nil && idle != "" { // people may come later
			fmt.Fprintf(a.stderr, "It takes nobody out yet: %s.\n", idle)
		}
		return err
	})
}

// exclusion reads the command line of exclude add.
func (a *app) exclusion(c *cli.Context) (audit.Exclusion, error) {
	x := audit.Exclusion{Reason: strings.TrimSpace(c.String("reason")), AddedAt: a.now().UTC()}
	for _, kind := range []audit.ExclusionKind{audit.ExcludeAccount, audit.ExcludeDomain, audit.ExcludeRoom, audit.ExcludeGroup} {
		switch subject := strings.TrimSpace(c.String(string(kind))); {
		case subject == "":
		case x.Kind != "":
			return x, usageOf(c, "give one of --account, --domain, --room and --group at a time")
		default:
			x.Kind, x.Subject = kind, subject
		}
	}
	switch {
	case x.Kind == "":
		return x, usageOf(c, "say whom with --account, --domain, --room or --group")
	case x.Reason == "":
		return x, usageOf(c, "say why with --reason")
	}
	if x.Kind == audit.ExcludeDomain {
		x.Subject = strings.ToLower(strings.TrimPrefix(x.Subject, "@"))
		if strings.ContainsAny(x.Subject, "@ *") || slices.Contains(strings.Split(x.Subject, "."), "") {
			return x, audit.Usagef("--domain %q is no domain: write one such as example.org, and each of its subdomains by itself", c.String("domain"))
		}
	}
	zone, err := audit.LoadZone(c.String("time-zone"))
	if err != nil {
		return x, err
	}
	if until := c.String("until"); until != "" {
		if x.ExpiresAt, err = audit.ParseTime("--until", until, zone); err != nil {
			return x, err
		}
		if !x.ExpiresAt.After(x.AddedAt) {
			return x, audit.Usagef("--until %s has passed: give a moment to come", until)
		}
	}
	return x, nil
}

func (a *app) excludeList(c *cli.Context) error {
	zone, err := audit.LoadZone(c.String("time-zone"))
	if err != nil {
		return err
	}
	return a.withPortal(c, func(r *store.Reader) error {
		exclusions, err := r.Exclusions(c.Context)
		if err != nil {
			return err
		}
		if len(exclusions) == 0 {
			fmt.Fprintln(a.stderr, "There are no exclusions.")
		}
		out := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		for _, x := range exclusions {
			until := "until removed"
			switch {
			case !x.Stands(a.now()):
				until = fmt.Sprintf("ended %s (%s)", report.Clock(x.ExpiresAt, zone), zone)
			case !x.ExpiresAt.IsZero():
				until = fmt.Sprintf("until %s (%s)", report.Clock(x.ExpiresAt, zone), zone)
			}
			fmt.Fprintf(out, "%d\t%s\tsince %s\t%s\n", x.ID, report.ExclusionText(x), x.AddedAt.In(zone).Format(time.DateOnly), until)
		}
		return out.Flush()
	})
}

func (a *app) excludeRemove(c *cli.Context) error {
	id, err := strconv.ParseInt(c.Args().First(), 10, 32)
	if err != nil || c.NArg() != 1 {
		return usageOf(c, "give the number of one exclusion, as `roompulse exclude list` shows it, after the flags")
	}
	return a.withPortal(c, func(r *store.Reader) error {
		err := r.RemoveExclusion(c.Context, int32(id), a.now()) //nolint:gosec // parsed as 32 bits
		if err == nil {
			fmt.Fprintf(a.stderr, "Exclusion %d is removed.\n", id)
		}
		return err
	})
}
