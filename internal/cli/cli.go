// Package cli is the command line: one file per command, and the place where
// use cases and adapters are joined.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"slices"
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

const environment = `ENVIRONMENT:
   DOCSPACE_API_HOST   the portal, such as acme.onlyoffice.com
   DOCSPACE_API_KEY    its API key; or DOCSPACE_API_KEY_FILE, a file that holds it
   DATABASE_URL        the PostgreSQL database, or DATABASE_URL_FILE; without it a private server is started
   ROOMPULSE_SMTP_URL  the mail server; the help of remind tells what else sending needs
   ROOMPULSE_...       values of flags, named after them: see the help of each command
`

const exitCodes = `EXIT CODES:
   0  done
   1  failed, or interrupted; verify: something is wrong and not repaired
   2  usage: the command line or a setting is wrong
   3  done, but data are incomplete (report: only with --strict; verify: only with --repair) or too old (status, remind)
   4  DocSpace refused: key, rights, plan or audit option
   5  another run holds the lock
`

// app is what commands share.
type app struct {
	stdout  io.Writer
	stderr  *screen
	version string
	now     func() time.Time
	// firstRetry is how long to wait before a failed request is repeated first; 0: as long as is good for the portal.
	firstRetry time.Duration
}

// Run runs the command line and returns the exit code. What fails is said in
// one line on stderr.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer, version string) int {
	a := &app{stdout: stdout, stderr: newScreen(stderr), version: version, now: time.Now}
	return a.run(ctx, args)
}

func (a *app) run(ctx context.Context, args []string) int {
	stdout := &output{Writer: a.stdout}
	a.stdout = stdout
	err := a.command().RunContext(ctx, args)
	if err == nil && stdout.err != nil {
		err = fmt.Errorf("write the output: %w", stdout.err)
	}
	switch {
	case err == nil:
		return exitDone
	case interrupted(ctx): // and that broke whatever is in err
		fmt.Fprintln(a.stderr, "roompulse: interrupted")
		return exitFailed
	}
	fmt.Fprintf(a.stderr, "roompulse: %s\n", oneLine(err))
	return exitCode(err)
}

func exitCode(err error) int {
	switch {
	case errors.Is(err, store.ErrLocked):
		return exitLocked
	case errors.Is(err, audit.ErrRefused):
		return exitRefused
	case errors.Is(err, ingest.ErrIncomplete), errors.Is(err, errIncomplete), errors.Is(err, errOld):
		return exitIncomplete
	case errors.Is(err, store.ErrPortalMoved):
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
		Usage:                "find out who in a DocSpace room is not there any more, and what that rests on",
		UsageText:            "roompulse COMMAND [OPTIONS]",
		Version:              a.version,
		Writer:               a.stdout,
		ErrWriter:            a.stderr,
		EnableBashCompletion: true,
		Commands: []*cli.Command{
			a.syncCommand(), a.reportCommand(), a.explainCommand(), a.excludeCommand(), a.remindCommand(), a.exportCommand(), a.statusCommand(), a.doctorCommand(),
			a.verifyCommand(), a.gapCommand(), a.portalCommand(), a.migrateCommand(), a.dbCommand(), a.demoCommand(), a.helpCommand(),
		},
		Flags:                 []cli.Flag{cli.HelpFlag}, // cli adds it only along with a help command of its own
		CustomAppHelpTemplate: cli.AppHelpTemplate + "\n" + environment + "\n" + exitCodes,
		// cli would exit the process by itself, before deferred work is done.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   usageError,
		Action:         needsCommand,
		// Ids of rooms are any text.
		DisableSliceFlagSeparator: true,
	}
	prepare(root.Name, root.Commands)
	return root
}

// helpCommand is `roompulse help report inactive` for `roompulse report inactive --help`.
func (a *app) helpCommand() *cli.Command {
	return &cli.Command{
		Name: "help", Usage: "show the help of a command, as its --help does", ArgsUsage: "[COMMAND]...",
		Action: func(c *cli.Context) error {
			return a.command().RunContext(c.Context, slices.Concat([]string{c.App.Name}, c.Args().Slice(), []string{"--help"}))
		},
	}
}

// prepare gives all commands what cli would do otherwise by its own rules:
// errors of usage go to stderr without the help text, surplus arguments are
// errors, and defaults are shown as one types them.
func prepare(parent string, commands []*cli.Command) {
	for _, c := range commands {
		name := parent + " " + c.Name
		c.OnUsageError = usageError
		c.HideHelpCommand = true
		for _, f := range c.Flags {
			switch f := f.(type) {
			case *cli.BoolFlag:
				f.DisableDefaultText = true
			case *cli.StringFlag:
				f.DefaultText = f.Value
			}
		}
		switch {
		case len(c.Subcommands) > 0:
			prepare(name, c.Subcommands)
			c.UsageText = name + " COMMAND [OPTIONS]"
			if c.Action == nil {
				c.Action = needsCommand
			} else { // it does something without one too
				c.UsageText = name + " [OPTIONS]\n" + c.UsageText
			}
		case c.ArgsUsage == "":
			c.UsageText = name + " [OPTIONS]"
			c.Before = noArguments
		default:
			c.UsageText = name + " [OPTIONS] " + c.ArgsUsage
		}
	}
}

// flagErrors are what the flag packages say, and the same in our words.
var flagErrors = []struct {
	theirs *regexp.Regexp
	ours   string
}{
	{regexp.MustCompile(`^flag provided but not defined: -(.*)$`), "there is no flag --$1"},
	{regexp.MustCompile(`^flag needs an argument: -(.*)$`), "--$1 needs a value"},
	{regexp.MustCompile(`^invalid (?:boolean )?value (".*") for (?:flag )?-([^:]*): .*$`), "--$2 $1 is not valid"},
	{regexp.MustCompile(`^could not parse (".*") as .* from environment variable "(.*)" for flag .*$`), "$2 $1 is not valid"},
}

func usageError(c *cli.Context, err error, _ bool) error {
	message := oneLine(err)
	for _, e := range flagErrors {
		message = e.theirs.ReplaceAllString(message, e.ours)
	}
	return audit.Usagef("%s; see `%s --help`", message, commandName(c))
}

func noArguments(c *cli.Context) error {
	if c.Args().Present() {
		return audit.Usagef("`%s` takes no argument %q; see its --help", commandName(c), c.Args().First())
	}
	return nil
}

// needsCommand is what a command does that only groups others.
func needsCommand(c *cli.Context) error {
	root := commandName(c) == c.App.Name
	if root && !c.Args().Present() {
		return cli.ShowAppHelp(c)
	}
	var names []string
	for _, sub := range c.Command.Subcommands {
		if sub.Name != "help" {
			names = append(names, sub.Name)
		}
	}
	there := strings.Join(names, ", ")
	if !c.Args().Present() {
		return audit.Usagef("`%s` needs a command: %s; see its --help", commandName(c), there)
	}
	return audit.Usagef("%q is no command of `%s`; there are: %s", c.Args().First(), commandName(c), there)
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

// errIncomplete is the end of a report with --strict that rests on incomplete data.
var errIncomplete = errors.New("data are incomplete")

// errOld is the end of a command whose data end longer ago than --max-lag allows.
var errOld = errors.New("data are too old")

// errBadURL does not quote the URL, which may have a password.
var errBadURL = audit.UsageError("DATABASE_URL is no valid URL")

// usageOf is an error of usage that names the command.
func usageOf(c *cli.Context, message string) error {
	return audit.Usagef("`%s`: %s", commandName(c), message)
}
