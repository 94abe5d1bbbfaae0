package cli

import (
	"github.com/urfave/cli/v2"

	"roompulse/internal/audit"
	"roompulse/internal/report"
)

func (a *app) explainCommand() *cli.Command {
	return &cli.Command{
		Name:  "explain",
		Usage: "say why a member of a room got their verdict",
		Description: "Shows what the verdict of `roompulse report inactive` rests on: memberships, events that counted, events\n" +
			"that did not and why, and events that may be the member's in this room though nobody knows their room.\n" +
			"The account need not be a member.",
		Flags: append(append(windowFlags(),
			&cli.StringFlag{Name: "room", Usage: "the `ID` of the room, archived or deleted ones too"},
			&cli.StringFlag{Name: "account", Usage: "the account's `ID|EMAIL`, the address in any case"},
			&cli.BoolFlag{Name: "all-events", Usage: "list all events, not only the newest of each kind"}),
			measureFlags()...),
		Action: a.explain,
	}
}

func (a *app) explain(c *cli.Context) error {
	query := report.ExplainQuery{
		Inactive: report.InactiveQuery{
			Guests: report.GuestsInclude, MinActivity: c.Int64("min-activity"), Activity: audit.Filter(c.String("activity")),
		},
		Room: c.String("room"), Account: c.String("account"), AllEvents: c.Bool("all-events"),
	}
	switch {
	case query.Room == "":
		return usageOf(c, "which room? give --room ID")
	case query.Account == "":
		return usageOf(c, "whose verdict? give --account with an id or an e-mail address")
	}
	if err := query.Inactive.Validate(); err != nil {
		return err
	}
	var err error
	if query.Inactive.Grace, err = audit.ParseDuration("--grace", c.String("grace")); err != nil {
		return err
	}
	f, err := a.openWindow(c, windowArgs(c).OrLast("30d"))
	if err != nil {
		return err
	}
	defer f.store.Close()
	if err := f.reader.CheckRooms(c.Context, []string{query.Room}); err != nil {
		return err
	}
	if err := f.reader.CheckAccount(c.Context, query.Account); err != nil {
		return err
	}
	query.Inactive.Window, query.Inactive.Now, query.Inactive.MaxLag = f.window, f.now, f.maxLag
	e, err := report.Explain(c.Context, f.reader, query)
	if err != nil {
		return err
	}
	return e.Write(a.stdout, a.reportOptions())
}
