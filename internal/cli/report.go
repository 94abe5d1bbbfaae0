package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"roompulse/internal/audit"
	"roompulse/internal/report"
	"roompulse/internal/store"
)

func (a *app) reportCommand() *cli.Command {
	return &cli.Command{
		Name:  "report",
		Usage: "say who is inactive, or who did what",
		Subcommands: []*cli.Command{
			{
				Name:  "inactive",
				Usage: "list members of rooms without activity in a window",
				Description: "Every member gets a verdict as of the window's end: active, pending, new, unknown, low, quiet or never.\n" +
					"Listed are never, quiet, low and unknown.",
				Flags: append(append(windowFlags(), filterFlags()...), append(outputFlags(),
					&cli.BoolFlag{Name: "all", Usage: "list everybody, the active too"})...),
				Action: a.reportInactive,
			},
			{
				Name:   "activity",
				Usage:  "count what everybody did in rooms in a window",
				Flags:  append(append(windowFlags(), roomFlag()), outputFlags()...),
				Action: a.reportActivity,
			},
		},
	}
}

func windowFlags() []cli.Flag {
	return []cli.Flag{
		portalFlag,
		&cli.StringFlag{Name: "last", Usage: "the window's `LENGTH` up to the end of complete data, such as 30d, 4w or 12h (default: 30d)"},
		&cli.StringFlag{Name: "from", Usage: "the window's start `T`: 2026-10-01, 2026-10-01T08:00 or RFC 3339"},
		&cli.StringFlag{Name: "to", Usage: "the window's end `T`, excluded (default: the end of complete data)"},
		timeZoneFlag(),
		&cli.StringFlag{Name: "max-lag", Usage: "warn if data end longer ago than `DURATION`", Value: "24h", EnvVars: env("max-lag")},
	}
}

func timeZoneFlag() cli.Flag {
	return &cli.StringFlag{Name: "time-zone", Usage: "read and show times in `ZONE`, such as Europe/Berlin", Value: "UTC", EnvVars: env("time-zone")}
}

func roomFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "room", Usage: "only the room with `ID`, archived or not; may be repeated"}
}

// measureFlags say what makes a member active or new.
func measureFlags() []cli.Flag {
	return []cli.Flag{
		&cli.Int64Flag{Name: "min-activity", Usage: "members with `N` events or more are active", Value: 1, EnvVars: env("min-activity")},
		&cli.StringFlag{Name: "activity", Usage: "count events of `KIND` any, view, edit or manage", Value: string(audit.FilterAny), EnvVars: env("activity")},
		&cli.StringFlag{Name: "grace", Usage: "members are new for `DURATION`, and not judged", Value: "14d", EnvVars: env("grace")},
	}
}

func filterFlags() []cli.Flag {
	return append(append([]cli.Flag{roomFlag()}, measureFlags()...),
		&cli.StringFlag{Name: "guests", Usage: "`HOW` to treat guests: include, only or exclude", Value: string(report.GuestsInclude), EnvVars: env("guests")},
		&cli.BoolFlag{Name: "owners", Usage: "judge the owners of rooms too", EnvVars: env("owners")},
		&cli.BoolFlag{Name: "archived", Usage: "judge archived rooms too", EnvVars: env("archived")},
	)
}

// formatVariable is no EnvVars of --format: the name of a file, which was given
// for this report, says more than a variable for all of them.
const formatVariable = "ROOMPULSE_FORMAT"

func outputFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name: "format", Usage: "`FORMAT` " + strings.Join(report.FormatNames(), ", ") + " (default: by --output, else $" + formatVariable + ", else table)",
		},
		&cli.StringFlag{Name: "output", Usage: "write to `FILE`, which is complete or as it was before (- is stdout)"},
		&cli.BoolFlag{Name: "strict", Usage: "exit with 3 if the window is not complete (that data are old is no such thing: see --max-lag)"},
	}
}

// reportFrame is what the reports have in common.
type reportFrame struct {
	store  *store.Store
	portal store.Portal
	reader *store.Reader
	window audit.Window
	maxLag time.Duration
	now    time.Time
	format report.Format
}

// openReport checks the command line before it touches the database.
func (a *app) openReport(c *cli.Context) (*reportFrame, error) {
	file := outputFile(c)
	format, err := report.ParseFormat(cmp.Or(c.String("format"), report.FileFormat(file), os.Getenv(formatVariable)), file)
	if err != nil {
		return nil, err
	}
	f, err := a.openWindow(c, windowArgs(c).OrLast("30d"))
	if err == nil {
		f.format = format
	}
	return f, err
}

func windowArgs(c *cli.Context) audit.WindowArgs {
	return audit.WindowArgs{Last: c.String("last"), From: c.String("from"), To: c.String("to"), Zone: c.String("time-zone")}
}

// openWindow is openReport for what has no format.
func (a *app) openWindow(c *cli.Context, args audit.WindowArgs) (*reportFrame, error) {
	f := &reportFrame{now: a.now()}
	var err error
	// A window that cannot be meant is told before the database is asked for its end.
	if _, err = args.Resolve(f.now, f.now); err != nil {
		return nil, err
	}
	if f.maxLag, err = audit.ParseDuration("--max-lag", c.String("max-lag")); err != nil {
		return nil, err
	}
	if f.store, err = a.readyWarehouse(c.Context); err != nil {
		return nil, err
	}
	if err := f.resolve(c, args); err != nil {
		f.store.Close()
		return nil, err
	}
	return f, nil
}

func (f *reportFrame) resolve(c *cli.Context, args audit.WindowArgs) error {
	var err error
	if f.portal, err = selectedPortal(c.Context, c, f.store); err != nil {
		return err
	}
	f.reader = f.store.Reader(f.portal)
	coverage, err := f.reader.Coverage(c.Context)
	if err != nil {
		return err
	}
	if f.window, err = args.Resolve(f.now, coverage.CompleteUntil()); err != nil {
		return err
	}
	return f.reader.CheckRooms(c.Context, c.StringSlice("room"))
}

// inactiveQuery is what the filters say.
func inactiveQuery(c *cli.Context) (report.InactiveQuery, error) {
	query := report.InactiveQuery{
		Rooms: c.StringSlice("room"), Archived: c.Bool("archived"), Owners: c.Bool("owners"), All: c.Bool("all"),
		Guests: report.Guests(c.String("guests")), MinActivity: c.Int64("min-activity"), Activity: audit.Filter(c.String("activity")),
	}
	err := query.Validate()
	if err == nil {
		query.Grace, err = audit.ParseDuration("--grace", c.String("grace"))
	}
	return query, err
}

func (a *app) reportInactive(c *cli.Context) error {
	query, err := inactiveQuery(c)
	if err != nil {
		return err
	}
	f, err := a.openReport(c)
	if err != nil {
		return err
	}
	defer f.store.Close()
	r, err := f.inactive(c.Context, f.format, query)
	if err != nil {
		return err
	}
	if err := a.output(c, func(w io.Writer, o report.Options) error { return f.format.WriteInactive(w, r, o) }); err != nil {
		return err
	}
	return a.endReport(c, f.format, r, r.DataQuality)
}

// inactive judges over the window, with what the format shows.
func (f *reportFrame) inactive(ctx context.Context, format report.Format, query report.InactiveQuery) (*report.InactiveReport, error) {
	query.Window, query.Now, query.MaxLag = f.window, f.now, f.maxLag
	if format.ByDay {
		return report.InactiveByDay(ctx, f.reader, query)
	}
	return report.Inactive(ctx, f.reader, query)
}

func (a *app) reportActivity(c *cli.Context) error {
	f, err := a.openReport(c)
	if err != nil {
		return err
	}
	defer f.store.Close()
	r, err := report.Activity(c.Context, f.reader, report.ActivityQuery{
		Window: f.window, Rooms: c.StringSlice("room"), Now: f.now, MaxLag: f.maxLag,
	})
	if err != nil {
		return err
	}
	if err := a.output(c, func(w io.Writer, o report.Options) error { return f.format.WriteActivity(w, r, o) }); err != nil {
		return err
	}
	return a.endReport(c, f.format, r, r.DataQuality)
}

// endReport tells on stderr what the report has no place for, or who ran the
// command does not see.
func (a *app) endReport(c *cli.Context, format report.Format, r interface {
	Notices() []string
	QualityLine() string
}, quality report.DataQuality,
) error {
	if !format.Prose || outputFile(c) != "" {
		for _, notice := range r.Notices() {
			fmt.Fprintln(a.stderr, notice)
		}
	}
	if format.Rows {
		fmt.Fprintln(a.stderr, r.QualityLine())
	}
	if c.Bool("strict") && quality.Incomplete() {
		return fmt.Errorf("%w: the window lacks data, see the report", errIncomplete)
	}
	return nil
}

// outputFile is the file of --output, empty for stdout.
func outputFile(c *cli.Context) string {
	if path := c.String("output"); path != "-" {
		return path
	}
	return ""
}

// output hands write the file of --output, else stdout.
func (a *app) output(c *cli.Context, write func(io.Writer, report.Options) error) error {
	if path := outputFile(c); path != "" {
		return replaceFile(path, func(w io.Writer) error { return write(w, report.Options{}) })
	}
	return write(a.stdout, a.reportOptions())
}

func (a *app) reportOptions() report.Options {
	return report.Options{Width: terminalWidth(a.stdout), Color: isTerminal(a.stdout) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}
