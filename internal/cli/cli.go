// Package cli is the command line: one file per command, and the place where
// use cases and adapters are joined.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"roompulse/internal/audit"
	"roompulse/internal/ingest"
	"roompulse/internal/store"
)

// Exit codes. Scripts depend on them.
const (
	exitDone       = 0
	exitFailed     = 1
	exitUsage      = 2
	exitIncomplete = 3
	exitRefused    = 4
	exitLocked     = 5
)

const exitCodes = `EXIT CODES:
   0  done
   1  failed, or interrupted
   2  usage: the command line or a setting is wrong
   3  done, but data is incomplete (report: only with --strict)
   4  DocSpace refused: key, rights, plan or audit option
   5  another run holds the lock
`

// app is what commands share.
type app struct {
	stdout, stderr io.Writer
	version        string
	now            func() time.Time
}

// Run runs the command line and returns the exit code. What fails is said in
// one line on stderr.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer, version string) int {
	a := &app{stdout: stdout, stderr: stderr, version: version, now: time.Now}
	err := a.command().RunContext(ctx, args)
	code := exitCode(err)
	if err == nil {
		return code
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	fmt.Fprintf(stderr, "roompulse: %s\n", oneLine(err))
	return code
}

func exitCode(err error) int {
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, store.ErrLocked):
		return exitLocked
	case errors.Is(err, audit.ErrRefused):
		return exitRefused
	case errors.Is(err, ingest.ErrIncomplete), errors.Is(err, errIncomplete):
		return exitIncomplete
	case errors.Is(err, store.ErrPortalMoved), errors.Is(err, audit.ErrNothingComplete):
		return exitUsage
	}
	if _, ok := errors.AsType[audit.UsageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

// oneLine keeps joined errors and errors of others on one line.
func oneLine(err error) string {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "; ")
}

func (a *app) command() *cli.App {
	root := &cli.App{
		Name:                 "roompulse",
		Usage:                "tells who in a DocSpace room is not there any more, and what that rests on",
		Version:              a.version,
		Writer:               a.stdout,
		ErrWriter:            a.stderr,
		EnableBashCompletion: true,
		Commands: []*cli.Command{
			a.syncCommand(), a.reportCommand(), a.statusCommand(), a.gapCommand(), a.portalCommand(),
			a.migrateCommand(), a.dbCommand(), a.demoCommand(),
		},
		CustomAppHelpTemplate: cli.AppHelpTemplate + "\n" + exitCodes,
		// cli would exit the process by itself, before deferred work is done.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   usageError,
		Action:         needsCommand,
	}
	prepare(root.Commands)
	return root
}

// prepare gives all commands what cli would do otherwise by its own rules:
// errors of usage go to stderr without the help text, and surplus arguments are errors.
func prepare(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError = usageError
		c.HideHelpCommand = true
		if len(c.Subcommands) > 0 {
			prepare(c.Subcommands)
			if c.Action == nil {
				c.Action = needsCommand
			}
			continue
		}
		if c.ArgsUsage == "" {
			c.ArgsUsage = " "
			c.Before = noArguments
		}
	}
}

func usageError(c *cli.Context, err error, _ bool) error {
	return audit.Usagef("%s; see `%s --help`", err, commandName(c))
}

func noArguments(c *cli.Context) error {
	if c.Args().Present() {
		return audit.Usagef("%s takes no argument %q; see `%s --help`", commandName(c), c.Args().First(), commandName(c))
	}
	return nil
}

// needsCommand is what a command does that only groups others.
func needsCommand(c *cli.Context) error {
	if !c.Args().Present() {
		if c.Command == nil || c.Command.Name == "" || c.App.Name == commandName(c) {
			return cli.ShowAppHelp(c)
		}
		return cli.ShowSubcommandHelp(c)
	}
	var names []string
	for _, sub := range c.Command.Subcommands {
		if !sub.Hidden && sub.Name != "help" {
			names = append(names, sub.Name)
		}
	}
	return audit.Usagef("%q is no command of %s; there are: %s", c.Args().First(), commandName(c), strings.Join(names, ", "))
}

func commandName(c *cli.Context) string {
	if c.Command == nil || c.Command.HelpName == "" {
		return c.App.Name
	}
	return c.Command.HelpName
}

// env names the variable that sets a flag.
func env(flag string) []string {
	return []string{"ROOMPULSE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))}
}

// logger writes to stderr.
func (a *app) logger(verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
}

// isTerminal reports whether w is somebody's screen.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && terminal(f)
}

// errIncomplete is the end of a report with --strict that rests on incomplete data.
var errIncomplete = errors.New("data is incomplete")

// errBadURL does not quote the URL, which may have a password.
var errBadURL = audit.UsageError("DATABASE_URL is no valid URL")

// usageOf is an error of usage that names the command.
func usageOf(c *cli.Context, message string) error {
	return audit.Usagef("%s: %s", commandName(c), message)
}
