package remind

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"roompulse/internal/audit"
)

// Preview plans, and writes all mails as they would be sent now if the mail
// server took every one.
func (s *Service) Preview(ctx context.Context) (*Plan, []audit.Mail, error) {
	plan, err := s.Plan(ctx)
	if err != nil {
		return nil, nil, err
	}
	plan.assumeSent(s.Now())
	messages, err := s.messages(ctx, plan)
	return plan, messages, err
}

// messages writes all mails of a plan.
func (s *Service) messages(ctx context.Context, plan *Plan) ([]audit.Mail, error) {
	var messages []audit.Mail
	for _, r := range plan.Reminders {
		m, err := s.renderReminder(plan, r)
		if err != nil {
			return nil, err
		}
		messages = append(messages, m)
	}
	for _, d := range plan.Digests {
		m, err := s.renderDigest(ctx, plan, d)
		if err != nil {
			return nil, err
		}
		messages = append(messages, m)
	}
	return messages, nil
}

// assumeSent makes digests tell of the plan's own reminders.
func (p *Plan) assumeSent(now time.Time) {
	sent := map[audit.Membership]audit.Reminded{}
	for _, r := range p.Reminders {
		for _, room := range r.Rooms {
			sent[audit.Membership{RoomID: room.ID, AccountID: r.To.AccountID}] = audit.Reminded{Number: room.Number, At: now}
		}
	}
	for _, d := range p.Digests {
		for _, room := range d.Rooms {
			for i, m := range room.Members {
				if reminded, ok := sent[audit.Membership{RoomID: room.ID, AccountID: m.AccountID}]; ok {
					room.Members[i].Reminded = reminded
				}
			}
		}
	}
}

// WritePlan writes for people what would be sent to whom, and why, and whom
// nothing is sent to.
func (s *Service) WritePlan(w io.Writer, plan *Plan, messages []audit.Mail) error {
	p := &printer{w: w}
	for _, notice := range plan.Quality.Notices {
		p.line("! %s", notice)
	}
	if len(plan.Quality.Notices) > 0 {
		p.line("")
	}
	p.line("Reminders to members without recorded activity: %s", audit.Plain(plan.Portal))
	for _, line := range plan.Heading {
		p.line("%s", line)
	}
	p.line("  Left out  %s\n", plan.leftOutText())
	p.line("This would be sent: %s and %s, to %s. Nothing is sent without --send.",
		count(len(plan.Reminders), "reminder"), count(len(plan.Digests), "digest"), people(plan.People()))
	if n := plan.People(); n > s.MaxRecipients {
		p.line("--send would refuse: --max-recipients allows %d people.", s.MaxRecipients)
	}
	if len(plan.Reminders) > 0 {
		p.line("\nReminders")
	}
	for _, r := range plan.Reminders {
		p.line("  %s", r.To)
		for _, room := range r.Rooms {
			p.line("    %s: %s; reminder %d", room.name(), s.why(room.Member), room.Number)
		}
	}
	if len(plan.Digests) > 0 {
		p.line("\nDigests%s", s.readers())
	}
	for _, d := range plan.Digests {
		p.line("  %s: %s", d.To, d.summary())
	}
	if len(plan.Spared) > 0 {
		p.line("\nInactive or unknown, and not reminded")
	}
	for _, spared := range plan.Spared {
		because := string(spared.Because)
		if !spared.Until.IsZero() {
			because += ", due again from " + s.clock(spared.Until)
		}
		p.line("  %s: %s, %s: %s", spared.Member.Person, roomName(spared.Title, spared.RoomID), spared.Member.State, because)
	}
	for _, m := range messages {
		p.line("\n%s\nTo: %s\nSubject: %s", strings.Repeat("-", 72), Person{Name: m.ToName, Email: m.To}, audit.Plain(m.Subject))
		if m.Attachment != nil {
			p.line("Attached: %s", m.Attachment.Name)
		}
		p.line("\n%s", strings.TrimSuffix(m.Text, "\n"))
	}
	return p.err
}

// leftOutText counts the memberships judged that get no reminder, but for those that are active.
func (p *Plan) leftOutText() string {
	spared := map[Reason]int{}
	for _, s := range p.Spared {
		spared[s.Because]++
	}
	var parts []string
	for _, part := range []struct {
		members int
		why     string
	}{
		{p.New, "new"},
		{p.Pending, "pending"},
		{spared[BecauseUnknown], "unknown"},
		{spared[BecauseReminded], "reminded lately"},
		{spared[BecauseActive], "no longer inactive or no member"},
		{spared[BecauseNoAddress], "without a usable address"},
	} {
		if part.members > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.members, part.why))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "nobody but the active")
}

// readers says why digests go to whom they go.
func (s *Service) readers() string {
	if s.ManagerEmail != "" {
		return ", to the address of --manager-email"
	}
	return ", to owners and managers of the rooms"
}

// why says what a member is reminded for.
func (s *Service) why(m Member) string {
	switch {
	case m.State == StateLow:
		return fmt.Sprintf("low, %s, the last on %s", count(int(m.Events), "event"), s.clock(m.LastActiveAt))
	case !m.LastActiveAt.IsZero():
		return fmt.Sprintf("%s, last active %s", m.State, s.clock(m.LastActiveAt))
	}
	return fmt.Sprintf("%s, no recorded activity known", m.State)
}

func (s *Service) clock(t time.Time) string { return t.In(s.Window.Zone).Format("2006-01-02 15:04") }

// String tells in a line what became of a mail.
func (o Outcome) String() string {
	var about string
	if o.Reminder != nil {
		var rooms []string
		for _, room := range o.Reminder.Rooms {
			rooms = append(rooms, room.name())
		}
		about = "reminder of " + strings.Join(rooms, ", ")
	} else {
		about = "digest of " + o.Digest.summary()
	}
	switch {
	case o.State == "":
		return fmt.Sprintf("not sent: %s: no longer to be reminded", o.To())
	case o.Err == nil:
		return fmt.Sprintf("%s: %s: %s", o.State, o.To(), about)
	case o.State == audit.DeliveryUncertain:
		return fmt.Sprintf("%s: %s: %s: it may have been sent and is not repeated: %s", o.State, o.To(), about, audit.Plain(o.Err.Error()))
	case o.Permanent:
		return fmt.Sprintf("%s: %s: %s: it will be refused again, look at the address: %s", o.State, o.To(), about, audit.Plain(o.Err.Error()))
	}
	return fmt.Sprintf("%s: %s: %s: the next run tries again: %s", o.State, o.To(), about, audit.Plain(o.Err.Error()))
}

// String writes a name and an address as mail programs do.
func (p Person) String() string {
	name, email := shown(p.Name, ""), shown(p.Email, "")
	switch {
	case name == "":
		return email
	case email == "":
		return name
	}
	return name + " <" + email + ">"
}

func (r DueRoom) name() string { return roomName(r.Title, r.ID) }

func roomName(title, id string) string {
	if title = shown(title, ""); title == "" {
		return shown(id, "")
	}
	return fmt.Sprintf("%s (%s)", title, shown(id, ""))
}

func (d Digest) summary() string {
	members := 0
	for _, room := range d.Rooms {
		members += len(room.Members)
	}
	return fmt.Sprintf("%s in %s", count(members, "inactive member"), count(len(d.Rooms), "room"))
}

func people(n int) string {
	if n == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", n)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// printer keeps the first error of many lines.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}
