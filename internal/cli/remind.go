package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"roompulse/internal/audit"
	"roompulse/internal/config"
	"roompulse/internal/mail"
	"roompulse/internal/remind"
	"roompulse/internal/report"
	"roompulse/internal/store"
)

func (a *app) remindCommand() *cli.Command {
	return &cli.Command{
		Name:  "remind",
		Usage: "mail members without activity, and the managers of their rooms",
		Description: "Judges as `report inactive` does and prints what would be sent to whom; with --send it is sent.\n" +
			"Nobody is mailed who is new, pending or unknown. A member is reminded of a room again when --quiet-period has passed.\n" +
			"The mail server is named by ROOMPULSE_SMTP_URL, its password by ROOMPULSE_SMTP_PASSWORD or ROOMPULSE_SMTP_PASSWORD_FILE,\n" +
			"the sender by ROOMPULSE_MAIL_FROM, and who answers questions by ROOMPULSE_MAIL_REPLY_TO.",
		Flags:  append(append(remindWindowFlags(), filterFlags()...), remindFlags()...),
		Action: a.remind,
		Subcommands: []*cli.Command{
			{
				Name:  "history",
				Usage: "list what was sent to whom, what became of it, and who came back",
				Flags: []cli.Flag{
					portalFlag,
					&cli.StringFlag{Name: "within", Usage: "count who was active again within `DURATION`", Value: "14d", EnvVars: env("within")},
					&cli.StringFlag{Name: "format", Usage: "write as `FORMAT` text or json", Value: "text"},
				},
				Action: a.remindHistory,
			},
			{
				Name: "templates", Usage: "write the built-in templates of mails to a folder, to change them there for --templates",
				ArgsUsage: "FOLDER", Action: a.remindTemplates,
			},
		},
	}
}

// remindWindowFlags are those of reports, with a window that must be given, and
// data that must be fresh.
func remindWindowFlags() []cli.Flag {
	flags := windowFlags()
	for i, f := range flags {
		switch f.Names()[0] {
		case "last":
			flags[i] = &cli.StringFlag{Name: "last", Usage: "the window's `LENGTH` up to the end of complete data, such as 30d, 4w or 12h"}
		case "max-lag":
			flags[i] = &cli.StringFlag{Name: "max-lag", Usage: "send nothing if data end longer ago than `DURATION`", Value: "2h", EnvVars: env("max-lag")}
		}
	}
	return flags
}

func remindFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "send", Usage: "send the mails"},
		&cli.StringFlag{Name: "quiet-period", Usage: "remind of a room, and write to a manager, at most every `DURATION`", Value: "30d", EnvVars: env("quiet-period")},
		&cli.IntFlag{Name: "max-recipients", Usage: "send nothing if more than `N` people would be mailed", Value: 50, EnvVars: env("max-recipients")},
		&cli.StringFlag{Name: "manager-email", Usage: "send one digest of all rooms to `ADDR`, none to owners and managers", EnvVars: env("manager-email")},
		&cli.StringFlag{Name: "attach-report", Usage: "attach the report of a manager's rooms to the digest, in a `FORMAT` of report", EnvVars: env("attach-report")},
		&cli.StringFlag{Name: "templates", Usage: "take templates of mails from `FOLDER`; see `roompulse remind templates`", EnvVars: env("templates")},
		&cli.StringFlag{Name: "preview", Usage: "write the mails that would be sent to `FOLDER`, and do not print them; needs no mail server or sender"},
		&cli.IntFlag{Name: "max-mails-per-minute", Usage: "send at most `N` mails a minute; 0: no limit", Value: 60, EnvVars: env("max-mails-per-minute")},
	}
}

// remindRun is what `remind` works with.
type remindRun struct {
	*reportFrame
	query   report.InactiveQuery
	options remind.Options
	attach  *report.Format // nil: nothing is attached
	smtp    config.SMTP
	service *remind.Service
}

func (a *app) remind(c *cli.Context) error {
	if c.Args().Present() { // no Before: that would run for the subcommands too
		return needsCommand(c)
	}
	r := &remindRun{}
	templates, err := r.read(c)
	if err != nil {
		return err
	}
	if r.reportFrame, err = a.openWindow(c, windowArgs(c)); err != nil {
		if c.Bool("send") && errors.Is(err, audit.ErrNothingComplete) {
			return errNothingToSendBy
		}
		return err
	}
	defer r.store.Close()
	r.options.Window, r.options.Now, r.query.Window = r.window, a.now, r.window
	judge := judge{reader: r.reader, query: r.query, maxLag: r.maxLag, now: a.now}
	if r.attach != nil {
		r.options.Report = r.attachment
	}
	r.service = remind.New(judge, r.reader, templates, r.options)
	if c.Bool("send") {
		return a.remindSend(c, r)
	}
	return a.remindPlan(c, r)
}

// read checks the command line and the environment before the database is touched.
func (r *remindRun) read(c *cli.Context) (*remind.Templates, error) {
	var err error
	if r.query, err = inactiveQuery(c); err != nil {
		return nil, err
	}
	o := &r.options
	o.MinActivity, o.Activity = r.query.MinActivity, r.query.Activity
	if o.QuietPeriod, err = audit.ParseDuration("--quiet-period", c.String("quiet-period")); err != nil {
		return nil, err
	}
	if o.MaxRecipients = c.Int("max-recipients"); o.MaxRecipients < 1 {
		return nil, audit.Usagef("--max-recipients %d: give a positive number", o.MaxRecipients)
	}
	if n := c.Int("max-mails-per-minute"); n < 0 {
		return nil, audit.Usagef("--max-mails-per-minute %d: give a positive number, or 0 for no limit", n)
	}
	if o.ManagerEmail = c.String("manager-email"); o.ManagerEmail != "" {
		if parsed, err := netmail.ParseAddress(o.ManagerEmail); err != nil || parsed.Address != o.ManagerEmail {
			return nil, audit.Usagef("--manager-email %q is no mail address: write name@example.org", o.ManagerEmail)
		}
	}
	if name := c.String("attach-report"); name != "" {
		format, err := report.ParseFormat(name, "")
		if err != nil {
			return nil, audit.Usagef("--attach-report: %v", err)
		}
		r.attach = &format
	}
	if err := r.readMail(c); err != nil {
		return nil, err
	}
	if err := checkPreview(c.String("preview")); err != nil {
		return nil, err
	}
	var own fs.FS
	if dir := c.String("templates"); dir != "" {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return nil, audit.Usagef("--templates %s is no folder that can be read", dir)
		}
		own = os.DirFS(dir)
	}
	return remind.LoadTemplates(own)
}

// checkPreview refuses a folder with mails: those that are left of an earlier
// preview could not be told from the new ones.
func checkPreview(dir string) error {
	if dir == "" {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return audit.Usagef("--preview %s is no folder that can be read", dir)
	}
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) == ".eml" {
			return audit.Usagef("--preview %s has mails already: remove them, or name another folder", dir)
		}
	}
	return nil
}

// readMail reads who sends mails, as far as it is needed.
func (r *remindRun) readMail(c *cli.Context) (err error) {
	switch {
	case c.Bool("send") && c.String("preview") != "":
		return audit.Usagef("--preview and --send exclude each other: look at the files first")
	case c.Bool("send"):
		r.smtp, err = config.ReadSMTP()
	default:
		err = r.smtp.ReadAddresses()
	}
	if err != nil {
		return err
	}
	_, r.options.MailDomain, _ = strings.Cut(cmp.Or(r.smtp.From.Address, "nobody@localhost"), "@")
	if r.smtp.ReplyTo != nil {
		r.options.ReplyTo = r.smtp.ReplyTo.Address
	}
	return nil
}

// mailConfig is who sends mails and how; without --send, as far as it is known.
func (a *app) mailConfig(c *cli.Context, s config.SMTP) mail.Config {
	encryption := mail.StartTLS
	switch {
	case s.Implicit:
		encryption = mail.ImplicitTLS
	case s.Plain:
		encryption = mail.NoTLS
	}
	return mail.Config{
		Host: s.Host, Port: s.Port, Encryption: encryption, User: s.User, Password: string(s.Password), From: s.From, ReplyTo: s.ReplyTo,
		MaxPerMinute: c.Int("max-mails-per-minute"), UserAgent: "roompulse/" + a.version,
	}
}

// remindPlan shows what --send would send.
func (a *app) remindPlan(c *cli.Context, r *remindRun) error {
	plan, messages, err := r.service.Preview(c.Context)
	if err != nil {
		return err
	}
	dir := c.String("preview")
	if dir == "" {
		return r.service.WritePlan(a.stdout, plan, messages)
	}
	if err := r.service.WritePlan(a.stdout, plan, nil); err != nil {
		return err
	}
	if err := writePreview(dir, messages, a.mailConfig(c, r.smtp)); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "\n%s written to %s\n", count(int64(len(messages)), "mail"), dir)
	return nil
}

// writePreview writes mails to a folder that has none: all of them, or none.
func writePreview(dir string, messages []audit.Mail, config mail.Config) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of --preview: %w", err)
	}
	var files []string
	defer func() {
		if err == nil {
			return
		}
		var left error
		for _, file := range files {
			left = errors.Join(left, remove(file))
		}
		if err = fmt.Errorf("write the mails of --preview: %w", err); left == nil {
			err = fmt.Errorf("%w; %s has none of them", err, dir)
		}
		err = errors.Join(err, left)
	}()
	for i, m := range messages {
		var b bytes.Buffer
		if err := config.Write(&b, m); err != nil {
			return err
		}
		file := filepath.Join(dir, fmt.Sprintf("%03d.eml", i+1))
		files = append(files, file)
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// errNothingToSendBy ends a run with --send before the first sync has ended.
var errNothingToSendBy = fmt.Errorf("%w: %w; nothing was sent", errIncomplete, audit.ErrNothingComplete)

func (a *app) remindSend(c *cli.Context, r *remindRun) error {
	judge := judge{reader: r.reader, now: a.now}
	until, err := judge.CompleteUntil(c.Context)
	if err != nil {
		return err
	}
	if until.IsZero() {
		return errNothingToSendBy
	}
	if lag := r.now.Sub(until); lag > r.maxLag {
		return fmt.Errorf("%w: they end at %s, %s ago, and --max-lag is %s: run `roompulse sync` first; nothing was sent",
			errOld, until.In(r.window.Zone).Format("2006-01-02 15:04"), lag.Round(time.Minute), c.String("max-lag"))
	}
	sender, err := mail.New(a.mailConfig(c, r.smtp))
	if err != nil {
		return err
	}
	defer sender.Close()
	ledger, err := r.store.OpenLedger(c.Context, r.portal)
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("%w; wait for its end, `roompulse remind history` shows what it has sent", err)
	}
	if err != nil {
		return err
	}
	defer ledger.Close()
	n := map[audit.Delivery]int{}
	abandoned, err := r.service.Send(c.Context, ledger, sender, func(o remind.Outcome) {
		n[o.State]++
		fmt.Fprintln(a.stdout, o)
	})
	if abandoned > 0 {
		fmt.Fprintf(a.stderr, "An earlier run died: %s of `roompulse remind history` became uncertain: nobody knows whether it was sent\n", count(abandoned, "row"))
	}
	if err != nil {
		return err
	}
	if lost := n[audit.DeliveryFailed] + n[audit.DeliveryUncertain]; lost > 0 {
		return fmt.Errorf("%d of %d mails were not sent, or nobody knows: see above, and `roompulse remind history`", lost, lost+n[audit.DeliverySent])
	}
	fmt.Fprintf(a.stderr, "%s sent\n", count(int64(n[audit.DeliverySent]), "mail"))
	return nil
}

// attachment writes the report of some rooms.
func (r *remindRun) attachment(ctx context.Context, rooms []string) (*audit.Attachment, error) {
	query := r.query
	query.Rooms = rooms
	inactive, err := r.inactive(ctx, *r.attach, query)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := r.attach.WriteInactive(&b, inactive, report.Options{}); err != nil {
		return nil, err
	}
	extension := map[string]string{"table": "txt", "markdown": "md"}[r.attach.Name]
	if extension == "" {
		extension = r.attach.Name
	}
	return &audit.Attachment{Name: "inactive-members." + extension, Content: b.Bytes()}, nil
}

func (a *app) remindTemplates(c *cli.Context) error {
	if c.NArg() != 1 {
		return usageOf(c, "give one folder")
	}
	dir := c.Args().First()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	return os.CopyFS(dir, remind.DefaultTemplates()) // never over a file that is there
}

// judge is the report of inactive members, as reminders need it.
type judge struct {
	reader *store.Reader
	query  report.InactiveQuery // over the window that was asked for
	maxLag time.Duration
	now    func() time.Time
}

// CompleteUntil implements [remind.Judge].
func (j judge) CompleteUntil(ctx context.Context) (time.Time, error) {
	coverage, err := j.reader.Coverage(ctx)
	return audit.Earlier(coverage.CompleteUntil(), j.now()), err
}

// Judge implements [remind.Judge].
func (j judge) Judge(ctx context.Context, w audit.Window) (remind.Judgement, error) {
	facts, err := j.reader.InactiveFacts(ctx, w, j.query.Rooms, j.query.Activity, j.query.MinActivity)
	if err != nil {
		return remind.Judgement{}, err
	}
	query := j.query
	if len(query.Rooms) > 0 && w.To.After(query.Window.To) {
		// It is a mistake to ask for a room that was deleted before the window's end,
		// but none that it was deleted since: nobody is inactive in it then.
		query.Rooms, query.Archived = nil, true
	}
	query.Window, query.Now, query.MaxLag = w, j.now(), j.maxLag
	r, err := query.Judge(facts)
	if err != nil {
		return remind.Judgement{}, err
	}
	managers := map[string][]remind.Person{}
	excluder := audit.NewExcluder(facts.Exclusions, query.Now)
	for _, m := range facts.Members {
		manages := m.Access == audit.AccessOwner || m.Access == audit.AccessRoomManager
		if manages && m.Status == audit.AccountActive && audit.IsPerson(m.AccountID) && excluder.Find(m) == 0 {
			managers[m.RoomID] = append(managers[m.RoomID], remind.Person{AccountID: m.AccountID, Name: m.Name, Email: m.Email})
		}
	}
	q := r.DataQuality
	judged := remind.Judgement{
		Portal: r.Portal, Heading: r.Heading(), New: r.Totals[report.StateNew], Pending: r.Totals[report.StatePending],
		Quality: remind.Quality{
			CompleteFrom: q.CompleteFrom.Time, CompleteUntil: q.CompleteUntil.Time, MembersKnownFrom: q.MembersKnownFrom.Time,
			NoneSince: facts.Coverage.KnownFrom(w.To), Events: q.Events, Unattributed: q.UnattributedEvents, Notices: r.Notices(),
		},
	}
	for _, room := range r.Rooms {
		judgedRoom := remind.Room{ID: room.ID, Title: room.Title, Judged: room.Members, Managers: managers[room.ID]}
		for _, m := range room.Inactive {
			judgedRoom.Listed = append(judgedRoom.Listed, remind.Member{
				Person: remind.Person{AccountID: m.AccountID, Name: m.DisplayName, Email: m.Email},
				Access: m.Access, Viewer: m.Access == audit.AccessViewer.String(), State: remind.State(m.State),
				Events: m.Events, LastActiveAt: m.LastActiveAt.Time,
			})
		}
		judged.Rooms = append(judged.Rooms, judgedRoom)
	}
	return judged, nil
}
