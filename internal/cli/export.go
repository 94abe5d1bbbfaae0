package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"roompulse/internal/audit"
	"roompulse/internal/export"
	"roompulse/internal/report"
	"roompulse/internal/store"
)

func (a *app) exportCommand() *cli.Command {
	views := store.ExportViews()
	return &cli.Command{
		Name:  "export",
		Usage: "write events, or another view of the warehouse, to a file for other programs",
		Description: "Views are those of the schema analytics: " + strings.Join(views[:6], ", ") + ",\n" +
			strings.Join(views[6:], ", ") + ". All times in the file are UTC; --time-zone is for --from and --to.\n" +
			"Without --to, reminders and sync_runs, which are what roompulse did itself, go on until now.",
		Flags: append(windowFlags(),
			&cli.StringFlag{Name: "view", Usage: "write the rows of `VIEW`", Value: views[0]},
			&cli.StringFlag{Name: "format", Usage: "`FORMAT` " + strings.Join(export.FormatNames(), ", ") + " (default: by --output, else csv)"},
			&cli.StringFlag{Name: "output", Usage: "write to `FILE`, which is complete or as it was before (- is stdout)"},
			&cli.BoolFlag{Name: "strict", Usage: "exit with 3 if the window is not complete"},
		),
		Action: a.export,
	}
}

func (a *app) export(c *cli.Context) error {
	view, file := c.String("view"), outputFile(c)
	if !slices.Contains(store.ExportViews(), view) {
		return audit.Usagef("--view %q is not known: write %s", view, strings.Join(store.ExportViews(), ", "))
	}
	format, err := export.ParseFormat(c.String("format"), file)
	if err != nil {
		return err
	}
	if format.Binary && file == "" && isTerminal(a.stdout) {
		return audit.Usagef("%s is not for a terminal: give --output FILE", format.Name)
	}
	f, err := a.openExport(c, view)
	if err != nil {
		return err
	}
	defer f.store.Close()
	var result export.Result
	err = a.output(c, func(w io.Writer, _ report.Options) (err error) {
		result, err = export.Run(c.Context, f.reader, view, f.window, format, w)
		return err
	})
	if err != nil {
		return err
	}
	return a.endExport(c, f, view, result)
}

// openExport opens what a view is read from, with the window of one that has one. The
// window of what roompulse itself did ends now, not where the portal's data do.
func (a *app) openExport(c *cli.Context, view string) (*reportFrame, error) {
	args := windowArgs(c).OrLast("30d")
	f := &reportFrame{now: a.now()}
	var err error
	switch {
	case store.IsJournal(view):
		if f.window, err = args.Resolve(f.now, f.now); err != nil {
			return nil, err
		}
	case store.HasWindow(view):
		return a.openWindow(c, args)
	default:
		for _, flag := range []string{"last", "from", "to", "strict"} {
			if c.IsSet(flag) {
				return nil, audit.Usagef("--%s: %s has no window, it is written whole", flag, view)
			}
		}
	}
	if f.store, err = a.readyWarehouse(c.Context); err != nil {
		return nil, err
	}
	if f.portal, err = selectedPortal(c.Context, c, f.store); err != nil {
		f.store.Close()
		return nil, err
	}
	f.reader = f.store.Reader(f.portal)
	return f, nil
}

// endExport tells on stderr how much was written and what it lacks.
func (a *app) endExport(c *cli.Context, f *reportFrame, view string, result export.Result) error {
	rows := count(result.Rows, "row") + " of " + view
	if !store.HasWindow(view) {
		fmt.Fprintln(a.stderr, rows)
		return nil
	}
	fmt.Fprintf(a.stderr, "%s, %s to %s\n", rows, instant(f.window.From), instant(f.window.To))
	if store.IsJournal(view) {
		return nil
	}
	notices, complete := report.CoverageNotices(result.Coverage, f.window, f.now, f.maxLag)
	for _, notice := range notices {
		fmt.Fprintln(a.stderr, notice)
	}
	if c.Bool("strict") && !complete {
		return fmt.Errorf("%w: the window lacks data", errIncomplete)
	}
	return nil
}
