package remind

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	texttemplate "text/template"
	"time"

	"roompulse/internal/audit"
)

//go:embed templates
var defaults embed.FS

// DefaultTemplates are the templates that are used for what an administrator
// has none of their own.
func DefaultTemplates() fs.FS {
	sub, err := fs.Sub(defaults, "templates")
	if err != nil {
		panic(err) // the name is a constant
	}
	return sub
}

// The files that make up the templates. Text files define "subject" too.
const (
	reminderText = "reminder.txt"
	reminderHTML = "reminder.html"
	digestText   = "digest.txt"
	digestHTML   = "digest.html"
)

// Templates write mails.
type Templates struct {
	text map[string]*texttemplate.Template
	html map[string]*htmltemplate.Template
}

// LoadTemplates reads the templates of a folder; for files that it does not have the
// defaults are taken. own is nil if there is no folder. The error is an
// [audit.UsageError].
func LoadTemplates(own fs.FS) (*Templates, error) {
	t := &Templates{text: map[string]*texttemplate.Template{}, html: map[string]*htmltemplate.Template{}}
	for _, name := range []string{reminderText, digestText, reminderHTML, digestHTML} {
		content, err := readTemplate(own, name)
		if err != nil {
			return nil, err
		}
		if path.Ext(name) == ".html" {
			t.html[name], err = htmltemplate.New(name).Option("missingkey=error").Parse(content)
		} else {
			t.text[name], err = texttemplate.New(name).Option("missingkey=error").Parse(content)
		}
		if err != nil {
			return nil, audit.Usagef("a template is wrong: %v", err)
		}
	}
	for name, template := range t.text {
		if template.Lookup("subject") == nil {
			return nil, audit.Usagef(`the template %s has no {{define "subject"}}`, name)
		}
	}
	return t, nil
}

func readTemplate(own fs.FS, name string) (string, error) {
	if own != nil {
		content, err := fs.ReadFile(own, name)
		if err == nil {
			return string(content), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", audit.Usagef("read the template %s: %v", name, err)
		}
	}
	content, err := fs.ReadFile(DefaultTemplates(), name)
	return string(content), err
}

// The fields of what templates are given are a contract: administrators write
// templates for them. Names and titles are safe in a line of text, and times are in the
// time zone of the window.

// Message is what both kinds of mail have in common.
type Message struct {
	To            string // display name of who gets the mail; may be empty
	Portal        string // base URL
	From, Until   time.Time
	Zone          string // IANA name
	MinActivity   int64
	Activity      string    // any, view, edit or manage
	CompleteUntil time.Time // end of the data that the mail rests on
	ReplyTo       string    // who answers questions; may be empty
}

// ReminderMessage is what reminder.txt and reminder.html are given.
type ReminderMessage struct {
	Message
	Number int32 // the highest of the rooms': 1 for the first reminder
	Rooms  []RoomMessage
}

// HasManagers reports whether any of the rooms has somebody who can be asked.
func (m ReminderMessage) HasManagers() bool {
	return slices.ContainsFunc(m.Rooms, func(r RoomMessage) bool { return len(r.Managers) > 0 })
}

// RoomMessage is a room that a member is reminded of.
type RoomMessage struct {
	Title, URL string
	Number     int32
	Activity
	Managers []string // names of those who can be asked
}

// Activity is what is known of a member in a room.
type Activity struct {
	State        string // never, quiet or low
	Events       int64  // in the window
	LastActiveAt time.Time
	// NoneSince is set if LastActiveAt is zero and State is quiet: data that are
	// complete begin then. Zero: nobody knows.
	NoneSince time.Time
	Access    string
	Viewer    bool // may only view, of which little is recorded
}

// DigestMessage is what digest.txt and digest.html are given.
type DigestMessage struct {
	Message
	Rooms                      []DigestRoomMessage
	Judged, Unknown            int // memberships in these rooms
	Never, Quiet, Low          int
	Notices                    []string // what is wrong with the data
	CompleteFrom, MembersSince time.Time
	Events, Unattributed       int64 // in the window, in the whole portal
	Attachment                 string
}

// Inactive returns how many memberships are listed.
func (m DigestMessage) Inactive() int { return m.Never + m.Quiet + m.Low }

// HasViewers reports whether any of those listed may only view.
func (m DigestMessage) HasViewers() bool {
	return slices.ContainsFunc(m.Rooms, func(r DigestRoomMessage) bool {
		return slices.ContainsFunc(r.Members, func(m DigestMemberMessage) bool { return m.Viewer })
	})
}

// DigestRoomMessage is a room in a digest.
type DigestRoomMessage struct {
	Title, URL      string
	Judged, Unknown int
	Members         []DigestMemberMessage
}

// DigestMemberMessage is an inactive member in a digest.
type DigestMemberMessage struct {
	Name, Email string
	Activity
	RemindedAt time.Time // newest reminder; zero: none
	Number     int32     // of that reminder
}

// renderReminder writes a mail to a member.
func (s *Service) renderReminder(plan *Plan, r Reminder) (audit.Mail, error) {
	m := ReminderMessage{Message: s.message(plan, r.To)}
	for _, room := range r.Rooms {
		m.Number = max(m.Number, room.Number)
		m.Rooms = append(m.Rooms, RoomMessage{
			Title: shown(room.Title, room.ID), URL: roomURL(plan.Portal, room.ID), Number: room.Number,
			Activity: s.activity(plan, room.Member), Managers: names(room.Managers),
		})
	}
	first := r.Rooms[0]
	id := s.messageID("reminder", plan.Portal, first.ID, r.To.AccountID, strconv.Itoa(int(first.Number)))
	return s.render(reminderText, reminderHTML, id, r.To, m)
}

// renderDigest writes a mail to a manager.
func (s *Service) renderDigest(ctx context.Context, plan *Plan, d Digest) (audit.Mail, error) {
	m := DigestMessage{
		Message: s.message(plan, d.To), Notices: plan.Quality.Notices,
		CompleteFrom: s.local(plan.Quality.CompleteFrom), MembersSince: s.local(plan.Quality.MembersKnownFrom),
		Events: plan.Quality.Events, Unattributed: plan.Quality.Unattributed,
	}
	var ids []string
	for _, room := range d.Rooms {
		ids = append(ids, room.ID)
		m.Judged += room.Judged
		m.Unknown += room.Unknown
		summary := DigestRoomMessage{Title: shown(room.Title, room.ID), URL: roomURL(plan.Portal, room.ID), Judged: room.Judged, Unknown: room.Unknown}
		for _, member := range room.Members {
			switch member.State {
			case StateNever:
				m.Never++
			case StateQuiet:
				m.Quiet++
			default:
				m.Low++
			}
			summary.Members = append(summary.Members, DigestMemberMessage{
				Name: shown(member.Name, ""), Email: shown(member.Email, ""), Activity: s.activity(plan, member.Member),
				RemindedAt: s.local(member.Reminded.At), Number: member.Reminded.Number,
			})
		}
		m.Rooms = append(m.Rooms, summary)
	}
	var attachment *audit.Attachment
	if s.Report != nil {
		var err error
		if attachment, err = s.Report(ctx, ids); err != nil {
			return audit.Mail{}, fmt.Errorf("write the report to attach: %w", err)
		}
		m.Attachment = attachment.Name
	}
	id := s.messageID("digest", plan.Portal, strings.ToLower(d.To.Email), strconv.Itoa(int(d.Number)))
	message, err := s.render(digestText, digestHTML, id, d.To, m)
	message.Attachment = attachment
	return message, err
}

func (s *Service) message(plan *Plan, to Person) Message {
	return Message{
		To: shown(to.Name, ""), Portal: audit.Plain(plan.Portal), From: s.local(s.Window.From), Until: s.local(s.Window.To), Zone: s.Window.Zone.String(),
		MinActivity: s.MinActivity, Activity: string(s.Activity),
		CompleteUntil: s.local(plan.Quality.CompleteUntil), ReplyTo: s.ReplyTo,
	}
}

func (s *Service) activity(plan *Plan, m Member) Activity {
	a := Activity{State: string(m.State), Events: m.Events, LastActiveAt: s.local(m.LastActiveAt), Access: m.Access, Viewer: m.Viewer}
	if m.State == StateQuiet && m.LastActiveAt.IsZero() {
		a.NoneSince = s.local(plan.Quality.NoneSince)
	}
	return a
}

// local leaves the zero time as it is: a template asks for it with IsZero.
func (s *Service) local(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.In(s.Window.Zone)
}

// shown is text of others as mails show it; instead stands in for a text without content.
func shown(text, instead string) string {
	return cmp.Or(strings.TrimSpace(audit.Plain(text)), strings.TrimSpace(audit.Plain(instead)))
}

func roomURL(portal, id string) string {
	return portal + "/rooms/shared/" + url.PathEscape(id) + "/filter?folder=" + url.QueryEscape(id)
}

func (s *Service) render(text, html, id string, to Person, data any) (audit.Mail, error) {
	m := audit.Mail{MessageID: id, Date: s.Now(), ToName: to.Name, To: to.Email}
	var subject, plain, rich strings.Builder
	if err := s.templates.text[text].ExecuteTemplate(&subject, "subject", data); err != nil {
		return m, fmt.Errorf("write a mail: %w", err)
	}
	if err := s.templates.text[text].Execute(&plain, data); err != nil {
		return m, fmt.Errorf("write a mail: %w", err)
	}
	if err := s.templates.html[html].Execute(&rich, data); err != nil {
		return m, fmt.Errorf("write a mail: %w", err)
	}
	m.Subject = strings.Join(strings.Fields(subject.String()), " ")
	m.Text, m.HTML = strings.TrimSpace(plain.String())+"\n", strings.TrimSpace(rich.String())+"\n"
	return m, nil
}
