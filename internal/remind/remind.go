// Package remind tells members of rooms that no activity of theirs is recorded,
// and managers of rooms whom that concerns.
//
// A mail is claimed in the ledger before it is handed to the mail server, and a
// claim is settled after. A mail whose outcome nobody knows stays uncertain and
// is never sent again: each row of the ledger stands for at most one mail.
package remind

import (
	"context"
	"fmt"
	"maps"
	"net/mail"
	"slices"
	"strings"
	"time"

	"roompulse/internal/audit"
)

// State is the verdict on a member, in the words of reports.
type State string

// Of the verdicts, the first three are reminded; who is unknown may well have
// been active. All others are nobody's business here.
const (
	StateNever   State = "never"
	StateQuiet   State = "quiet"
	StateLow     State = "low"
	StateUnknown State = "unknown"
)

// Judge says who is inactive, by the query and the filters of the report of
// inactive members.
type Judge interface {
	// CompleteUntil returns where complete data end at present.
	CompleteUntil(ctx context.Context) (time.Time, error)
	// Judge judges the members of rooms over a window, as of its end.
	Judge(ctx context.Context, w audit.Window) (Judgement, error)
}

// Judgement is what a report says of inactive members.
type Judgement struct {
	Portal string // base URL
	Rooms  []Room // all that were judged, by id
	// Heading are lines that say what was judged: the window, what counts, how many there are.
	Heading      []string
	New, Pending int // memberships with these verdicts
	Quality      Quality
}

// Quality says what a judgement rests on.
type Quality struct {
	CompleteFrom, CompleteUntil time.Time
	MembersKnownFrom            time.Time
	// NoneSince is since when no event held means that there was none; zero if
	// that is not known.
	NoneSince            time.Time
	Events, Unattributed int64 // in the window, in the whole portal
	Notices              []string
}

// Room is a room that was judged.
type Room struct {
	ID, Title string
	Judged    int // members
	// Listed are those who are never, quiet, low or unknown, by account id.
	Listed   []Member
	Managers []Person // its owner and managers with active accounts who are not excluded, by account id
}

// Person is somebody who may get a mail.
type Person struct{ AccountID, Name, Email string }

// Member is a member of a room with the verdict on them.
type Member struct {
	Person
	Access       string
	Viewer       bool // of whom DocSpace records little
	State        State
	Events       int64     // counted ones in the window
	LastActiveAt time.Time // zero: never, as far as is known
}

// inactive reports whether the verdict is a reason to write.
func (m Member) inactive() bool {
	return m.State == StateNever || m.State == StateQuiet || m.State == StateLow
}

// History says who was reminded when.
type History interface {
	Reminded(ctx context.Context) (audit.Reminders, error)
}

// Options say whom to write, and how often at most.
type Options struct {
	Window      audit.Window
	MinActivity int64
	Activity    audit.Filter
	// QuietPeriod is how old the newest reminder of a member for a room must be
	// before the next one; the same goes for digests to a manager.
	QuietPeriod   time.Duration
	MaxRecipients int // people who may get a mail in one run
	// ManagerEmail gets one digest over all rooms, instead of each room's owner
	// and managers; empty: they do.
	ManagerEmail string
	ReplyTo      string // who answers questions by mail; empty: nobody
	MailDomain   string // of Message-IDs
	Now          func() time.Time
	// Report writes the report of inactive members of some rooms, to go along
	// with digests; nil: nothing does.
	Report func(ctx context.Context, rooms []string) (*audit.Attachment, error)
}

// Service plans and sends mails.
type Service struct {
	judge     Judge
	history   History
	templates *Templates
	Options
}

// New returns a service.
func New(judge Judge, history History, templates *Templates, o Options) *Service {
	return &Service{judge: judge, history: history, templates: templates, Options: o}
}

// Plan is what is to be sent at a moment, and what is not.
type Plan struct {
	Judgement
	Reminders []Reminder // by account id
	Digests   []Digest   // by address
	Spared    []Spared   // inactive or unknown members who get no mail, by room and account id
}

// Reminder is a mail to a member about all rooms that are due.
type Reminder struct {
	To    Person
	Rooms []DueRoom // by id

	failedAt time.Time // see [audit.Reminded]
}

// DueRoom is a room that a member is reminded of.
type DueRoom struct {
	ID, Title string
	Number    int32 // 1 for the first reminder
	Member    Member
	Managers  []Person
}

// Digest is a mail to a manager about all their rooms with inactive members.
type Digest struct {
	To     Person
	Number int32
	Rooms  []DigestRoom // by id

	failedAt time.Time // see [audit.Reminded]
}

// DigestRoom is a room in a digest. Who has been active since the window's end,
// or has left, is not in it any more.
type DigestRoom struct {
	ID, Title string
	Judged    int
	Unknown   int
	Members   []DigestMember // inactive ones, by account id
}

// without leaves the reader out, who got a reminder and knows.
func (r DigestRoom) without(reader Person) DigestRoom {
	r.Members = slices.DeleteFunc(slices.Clone(r.Members), func(m DigestMember) bool { return strings.EqualFold(m.Email, reader.Email) })
	return r
}

// DigestMember is a member in a digest, with the newest reminder they got.
type DigestMember struct {
	Member
	Reminded audit.Reminded
}

// Spared is a member who is not written to, and why not.
type Spared struct {
	RoomID, Title string
	Member        Member
	Because       Reason
	Until         time.Time // of Reminded: when the next reminder is due
}

// Reason says why a member is spared a reminder.
type Reason string

// The reasons.
const (
	BecauseUnknown   Reason = "it cannot be told whether they were active"
	BecauseReminded  Reason = "reminded lately"
	BecauseActive    Reason = "no longer inactive, or no member, as of the newest data"
	BecauseNoAddress Reason = "no mail address that can be used"
)

// People returns how many people get a mail.
func (p *Plan) People() int {
	people := map[string]struct{}{}
	for _, r := range p.Reminders {
		people[strings.ToLower(r.To.Email)] = struct{}{}
	}
	for _, d := range p.Digests {
		people[strings.ToLower(d.To.Email)] = struct{}{}
	}
	return len(people)
}

// TooManyError says that a run would write to more people than it may.
type TooManyError struct{ People, Max int }

func (e TooManyError) Error() string {
	return fmt.Sprintf("%d people would be mailed, --max-recipients allows %d: look at them with `roompulse remind` without --send, "+
		"then narrow the filters or raise the limit; nothing was sent", e.People, e.Max)
}

// Plan finds out who is to be written to now. It writes nothing.
func (s *Service) Plan(ctx context.Context) (*Plan, error) {
	judged, err := s.judge.Judge(ctx, s.Window)
	if err != nil {
		return nil, fmt.Errorf("judge the members: %w", err)
	}
	newest, err := s.newest(ctx)
	if err != nil {
		return nil, err
	}
	reminded, err := s.history.Reminded(ctx)
	if err != nil {
		return nil, err
	}
	plan := &Plan{Judgement: judged}
	s.planReminders(plan, judged, newest, reminded)
	s.planDigests(plan, judged, newest, reminded)
	return plan, nil
}

// standing is what the newest data say.
type standing struct {
	inactive map[audit.Membership]bool
	managers map[string][]Person // by room
}

func (s standing) manages(address, roomID string) bool {
	return slices.ContainsFunc(s.managers[roomID], func(p Person) bool { return strings.EqualFold(p.Email, address) })
}

// newest judges over a window that ends where data do now. A window in the past,
// or a sync since the plan was made, must not let anybody be mailed who has
// been there meanwhile, has left, or was taken out by an administrator. It judges
// the whole portal for each mail, so that there is one way to judge: the time of
// a run is that of as many reports.
func (s *Service) newest(ctx context.Context) (standing, error) {
	until, err := s.judge.CompleteUntil(ctx)
	if err != nil {
		return standing{}, err
	}
	w := s.Window
	w.To = audit.Later(w.To, until)
	judged, err := s.judge.Judge(ctx, w)
	if err != nil {
		return standing{}, fmt.Errorf("judge the members as of now: %w", err)
	}
	now := standing{inactive: map[audit.Membership]bool{}, managers: map[string][]Person{}}
	for _, room := range judged.Rooms {
		now.managers[room.ID] = room.Managers
		for _, m := range room.Listed {
			if m.inactive() {
				now.inactive[audit.Membership{RoomID: room.ID, AccountID: m.AccountID}] = true
			}
		}
	}
	return now, nil
}

func (s *Service) planReminders(plan *Plan, judged Judgement, newest standing, reminded audit.Reminders) {
	people := map[string]*Reminder{}
	for _, room := range judged.Rooms {
		for _, m := range room.Listed {
			membership := audit.Membership{RoomID: room.ID, AccountID: m.AccountID}
			last := reminded.Members[membership]
			spared := Spared{RoomID: room.ID, Title: room.Title, Member: m}
			switch {
			case !m.inactive():
				spared.Because = BecauseUnknown
			case !newest.inactive[membership]:
				spared.Because = BecauseActive
			case !s.due(last):
				spared.Because, spared.Until = BecauseReminded, last.At.Add(s.QuietPeriod)
			case !usable(m.Email):
				spared.Because = BecauseNoAddress
			default:
				if people[m.AccountID] == nil {
					people[m.AccountID] = &Reminder{To: m.Person}
				}
				r := people[m.AccountID]
				r.failedAt = audit.Later(r.failedAt, last.FailedAt)
				r.Rooms = append(r.Rooms, DueRoom{
					ID: room.ID, Title: room.Title, Number: last.Number + 1, Member: m, Managers: others(newest.managers[room.ID], m.Person),
				})
				continue
			}
			plan.Spared = append(plan.Spared, spared)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(people)) {
		plan.Reminders = append(plan.Reminders, *people[id])
	}
}

// due reports whether the newest reminder is old enough for another. It is due
// from then on, not on that day: a run that did not happen loses nothing.
func (s *Service) due(last audit.Reminded) bool {
	return last.Number == 0 || !s.Now().Before(last.At.Add(s.QuietPeriod))
}

func (s *Service) planDigests(plan *Plan, judged Judgement, newest standing, reminded audit.Reminders) {
	digests := map[string]*Digest{}
	for _, room := range judged.Rooms {
		summary := DigestRoom{ID: room.ID, Title: room.Title, Judged: room.Judged}
		for _, m := range room.Listed {
			membership := audit.Membership{RoomID: room.ID, AccountID: m.AccountID}
			switch {
			case !m.inactive():
				summary.Unknown++
			case newest.inactive[membership]:
				summary.Members = append(summary.Members, DigestMember{Member: m, Reminded: reminded.Members[membership]})
			}
		}
		managers := newest.managers[room.ID]
		if s.ManagerEmail != "" {
			managers = []Person{{Email: s.ManagerEmail}}
		}
		for _, person := range managers {
			key := strings.ToLower(person.Email)
			last := reminded.Digests[key]
			about := summary.without(person)
			if len(about.Members) == 0 || !usable(person.Email) || !s.due(last) {
				continue
			}
			if digests[key] == nil {
				digests[key] = &Digest{To: person, Number: last.Number + 1, failedAt: last.FailedAt}
			}
			digests[key].Rooms = append(digests[key].Rooms, about)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(digests)) {
		plan.Digests = append(plan.Digests, *digests[key])
	}
}

// usable reports whether mail can go to an address that a portal lists.
func usable(address string) bool {
	parsed, err := mail.ParseAddress(address)
	return err == nil && parsed.Address == address
}

// others returns people without one of them.
func others(people []Person, one Person) []Person {
	return slices.DeleteFunc(slices.Clone(people), func(p Person) bool { return p.AccountID == one.AccountID })
}

// names returns what to call people: their names, or addresses if they have none.
func names(people []Person) []string {
	var all []string
	for _, p := range people {
		if name := shown(p.Name, p.Email); name != "" {
			all = append(all, name)
		}
	}
	return all
}
