package remind

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"roompulse/internal/audit"
)

// Ledger writes down what is sent. Whoever has one is the only one who sends.
type Ledger interface {
	// Abandon makes claims of runs that died uncertain, and returns how many.
	Abandon(ctx context.Context, at time.Time) (int64, error)
	// Claim writes down that a mail is about to be sent; an error means that it
	// must not be.
	Claim(ctx context.Context, c audit.Claim) error
	// Settle writes down what became of a claimed mail, also when ctx is cancelled.
	Settle(ctx context.Context, c audit.Claim, outcome audit.Delivery, reason string, at time.Time) error
}

// Mailer hands mails to a mail server.
type Mailer interface {
	// Ready waits until the next mail may be sent and the server is there to take it.
	Ready(ctx context.Context) error
	// Send returns nil if the server took the mail, else a [*audit.DeliveryError].
	Send(ctx context.Context, m audit.Mail) error
}

// Outcome is what became of a mail that was planned.
type Outcome struct {
	Reminder *Reminder // one of the two
	Digest   *Digest
	// State is empty if nothing was sent because it was not to be any more.
	State     audit.Delivery
	Permanent bool // DeliveryFailed: it will fail next time too
	Err       error
}

// To returns who was to get the mail.
func (o Outcome) To() Person {
	if o.Reminder != nil {
		return o.Reminder.To
	}
	return o.Digest.To
}

// Send plans and sends, and tells every outcome as soon as it is known. It
// returns a [TooManyError], before anything is sent, if the plan has more people
// than it may. A mail server that cannot be reached, or fails at two mails in a row,
// ends the run: who is left is written to by the next one. abandoned is how many rows of
// the ledger runs that died have left uncertain.
func (s *Service) Send(ctx context.Context, ledger Ledger, mailer Mailer, told func(Outcome)) (abandoned int64, err error) {
	if abandoned, err = ledger.Abandon(ctx, s.Now()); err != nil {
		return 0, err
	}
	plan, err := s.Plan(ctx)
	if err != nil {
		return abandoned, err
	}
	if n := plan.People(); n > s.MaxRecipients {
		return abandoned, TooManyError{People: n, Max: s.MaxRecipients}
	}
	// A template that fails on one mail must not do so between two others.
	if _, err := s.messages(ctx, plan); err != nil {
		return abandoned, err
	}
	r := &run{Service: s, ledger: ledger, mailer: mailer, told: told}
	// Addresses at which the server goes away end the run: next time everybody else comes first.
	slices.SortStableFunc(plan.Reminders, func(a, b Reminder) int { return a.failedAt.Compare(b.failedAt) })
	for i := range plan.Reminders {
		if err := r.sendReminder(ctx, plan, plan.Reminders[i]); err != nil {
			return abandoned, err
		}
	}
	// Digests say who was reminded, and that has changed. Who has become a manager
	// meanwhile was not counted, and has to wait for the next run.
	planned := make(map[string]bool, len(plan.Digests))
	for _, d := range plan.Digests {
		planned[strings.ToLower(d.To.Email)] = true
	}
	if plan, err = s.Plan(ctx); err != nil {
		return abandoned, err
	}
	slices.SortStableFunc(plan.Digests, func(a, b Digest) int { return a.failedAt.Compare(b.failedAt) })
	for i := range plan.Digests {
		if !planned[strings.ToLower(plan.Digests[i].To.Email)] {
			continue
		}
		if err := r.sendDigest(ctx, plan, plan.Digests[i]); err != nil {
			return abandoned, err
		}
	}
	return abandoned, nil
}

// run is the sending of one plan.
type run struct {
	*Service
	ledger Ledger
	mailer Mailer
	told   func(Outcome)
	// failures is how many mails in a row the mail server was gone at.
	failures int
}

func (s *run) sendReminder(ctx context.Context, plan *Plan, r Reminder) error {
	if err := s.mailer.Ready(ctx); err != nil {
		return err
	}
	now, err := s.newest(ctx)
	if err != nil {
		return err
	}
	r.Rooms = slices.DeleteFunc(slices.Clone(r.Rooms), func(room DueRoom) bool {
		return !now.inactive[audit.Membership{RoomID: room.ID, AccountID: r.To.AccountID}]
	})
	if len(r.Rooms) == 0 {
		s.told(Outcome{Reminder: &r})
		return nil
	}
	message, err := s.renderReminder(plan, r)
	if err != nil {
		return err
	}
	claim := audit.Claim{
		MessageID: message.MessageID, Email: r.To.Email, AccountID: r.To.AccountID, At: message.Date,
		Window: audit.Span{From: s.Window.From, To: s.Window.To},
	}
	for _, room := range r.Rooms {
		claim.Rooms = append(claim.Rooms, audit.ClaimedRoom{RoomID: room.ID, Number: room.Number, Verdict: string(room.Member.State)})
	}
	return s.deliver(ctx, claim, message, Outcome{Reminder: &r})
}

func (s *run) sendDigest(ctx context.Context, plan *Plan, d Digest) error {
	if err := s.mailer.Ready(ctx); err != nil {
		return err
	}
	now, err := s.newest(ctx)
	if err != nil {
		return err
	}
	var rooms []DigestRoom
	for _, room := range d.Rooms {
		room.Members = slices.DeleteFunc(slices.Clone(room.Members), func(m DigestMember) bool {
			return !now.inactive[audit.Membership{RoomID: room.ID, AccountID: m.AccountID}]
		})
		if len(room.Members) > 0 && (s.ManagerEmail != "" || now.manages(d.To.Email, room.ID)) {
			rooms = append(rooms, room)
		}
	}
	d.Rooms = rooms
	if len(d.Rooms) == 0 {
		s.told(Outcome{Digest: &d})
		return nil
	}
	message, err := s.renderDigest(ctx, plan, d)
	if err != nil {
		return err
	}
	claim := audit.Claim{
		MessageID: message.MessageID, Email: strings.ToLower(d.To.Email), At: message.Date,
		Window: audit.Span{From: s.Window.From, To: s.Window.To},
		Digest: &audit.ClaimedDigest{Name: d.To.Name, Number: d.Number, Rooms: int32(len(d.Rooms))}, //nolint:gosec // rooms of one portal
	}
	for _, room := range d.Rooms {
		claim.Digest.Members += int32(len(room.Members)) //nolint:gosec // members of one portal
	}
	return s.deliver(ctx, claim, message, Outcome{Digest: &d})
}

// deliver claims, sends and settles a mail. Its error ends the run.
func (s *run) deliver(ctx context.Context, claim audit.Claim, message audit.Mail, o Outcome) error {
	if err := s.ledger.Claim(ctx, claim); err != nil {
		return err
	}
	o.Err = s.mailer.Send(ctx, message)
	reason, unavailable := "", false
	switch failure, ok := errors.AsType[*audit.DeliveryError](o.Err); {
	case o.Err == nil:
		o.State = audit.DeliverySent
	case ok:
		o.State, o.Permanent, unavailable, reason = failure.Outcome, failure.Permanent, failure.Unavailable, failure.Error()
	default: // nothing is known of it
		o.State, unavailable, reason = audit.DeliveryUncertain, true, o.Err.Error()
	}
	if err := s.ledger.Settle(ctx, claim, o.State, reason, s.Now()); err != nil {
		return err
	}
	s.told(o)
	if !unavailable {
		s.failures = 0
		return nil
	}
	// A server that goes down at one mail may do so because of that mail: to end
	// there would leave everybody after it without one, in each run.
	const most = 2
	if s.failures++; s.failures == most {
		return fmt.Errorf("%w: the next run goes on from here", ErrUnavailable)
	}
	return nil
}

// ErrUnavailable ends a run whose mail server takes no more mails.
var ErrUnavailable = errors.New("the mail server takes no mails now")

// messageID makes a Message-ID of the first row that a mail has in the ledger. A mail
// that failed has the same when it is tried again.
func (s *Service) messageID(kind string, row ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(row, "\x00")))
	return fmt.Sprintf("roompulse.%s.%s@%s", kind, hex.EncodeToString(sum[:12]), s.MailDomain)
}
