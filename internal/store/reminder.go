package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"roompulse/db"
	"roompulse/internal/audit"
)

// Ledger writes down which mails are sent to people of one portal. It holds
// the portal's lock on the one connection that it writes with: who loses the
// lock cannot claim a mail any more. It is for one goroutine.
type Ledger struct {
	portal Portal
	conn   *pgxpool.Conn
	q      *db.Queries
}

// OpenLedger takes the lock that lets one process at a time send reminders; it
// returns ErrLocked if another one has it.
func (s *Store) OpenLedger(ctx context.Context, p Portal) (*Ledger, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, explainConnect(err)
	}
	if err := lockPortal(ctx, conn, conn.Conn().PgConn().PID(), lockRemind, p, "a `remind --send` is running"); err != nil {
		dropConn(conn)
		return nil, err
	}
	return &Ledger{portal: p, conn: conn, q: db.New(conn)}, nil
}

// Close gives the lock back.
func (l *Ledger) Close() { dropConn(l.conn) }

// errTaken says that a claim was refused, and nothing of it is written.
var errTaken = errors.New("it is in the ledger already")

// Claim writes down that a mail is about to be sent: all of it or nothing.
func (l *Ledger) Claim(ctx context.Context, c audit.Claim) error {
	err := l.inTx(ctx, func(ctx context.Context, q *db.Queries) error {
		if c.Digest != nil {
			rows, err := q.ClaimDigest(ctx, db.ClaimDigestParams{
				PortalID: l.portal.ID, Email: c.Email, Number: c.Digest.Number, Name: c.Digest.Name,
				Rooms: c.Digest.Rooms, Members: c.Digest.Members, MessageID: c.MessageID,
				WindowFrom: c.Window.From, WindowTo: c.Window.To, ClaimedAt: c.At,
			})
			return one(rows, err)
		}
		for _, room := range c.Rooms {
			rows, err := q.ClaimReminder(ctx, db.ClaimReminderParams{
				PortalID: l.portal.ID, RoomID: room.RoomID, AccountID: c.AccountID, Number: room.Number, Verdict: room.Verdict,
				Email: c.Email, MessageID: c.MessageID, WindowFrom: c.Window.From, WindowTo: c.Window.To, ClaimedAt: c.At,
			})
			if err := one(rows, err); err != nil {
				return fmt.Errorf("room %s: %w", room.RoomID, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("claim the %s: %w", c, err)
	}
	return nil
}

func one(rows int64, err error) error {
	if err == nil && rows != 1 {
		return errTaken
	}
	return err
}

// Settle writes down what became of a claimed mail. reason says why it was not
// sent, or why nobody knows.
func (l *Ledger) Settle(ctx context.Context, c audit.Claim, outcome audit.Delivery, reason string, at time.Time) error {
	// What happened is written down even if the run is told to stop.
	err := l.inTx(context.WithoutCancel(ctx), func(ctx context.Context, q *db.Queries) (err error) {
		var rows int64
		if c.Digest != nil {
			rows, err = q.SettleDigest(ctx, db.SettleDigestParams{
				PortalID: l.portal.ID, MessageID: c.MessageID, State: string(outcome), Error: reason, SettledAt: at,
			})
		} else {
			rows, err = q.SettleReminders(ctx, db.SettleRemindersParams{
				PortalID: l.portal.ID, MessageID: c.MessageID, State: string(outcome), Error: reason, SettledAt: at,
			})
		}
		if err == nil && rows == 0 {
			err = errors.New("it is not claimed")
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("record that the %s is %s: %w", c, outcome, err)
	}
	return nil
}

// Abandon makes what dead runs have claimed uncertain, and returns how many
// rows that were.
func (l *Ledger) Abandon(ctx context.Context, at time.Time) (rows int64, err error) {
	const reason = "the run that was sending it died"
	err = l.inTx(ctx, func(ctx context.Context, q *db.Queries) error {
		reminders, err := q.AbandonReminders(ctx, db.AbandonRemindersParams{PortalID: l.portal.ID, SettledAt: at, Error: reason})
		if err != nil {
			return err
		}
		digests, err := q.AbandonDigests(ctx, db.AbandonDigestsParams{PortalID: l.portal.ID, SettledAt: at, Error: reason})
		rows = reminders + digests
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("look for claims of dead runs: %w", err)
	}
	return rows, nil
}

func (l *Ledger) inTx(ctx context.Context, f func(context.Context, *db.Queries) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := outlive(ctx, lastWords)
	defer cancel()
	return pgx.BeginFunc(ctx, l.conn, func(tx pgx.Tx) error { return f(ctx, l.q.WithTx(tx)) })
}

// Reminded says who was reminded when.
func (r *Reader) Reminded(ctx context.Context) (audit.Reminders, error) {
	reminders := audit.Reminders{Members: map[audit.Membership]audit.Reminded{}, Digests: map[string]audit.Reminded{}}
	members, err := r.store.q.ListReminded(ctx, r.portal.ID)
	if err != nil {
		return reminders, fmt.Errorf("read who was reminded: %w", err)
	}
	for _, row := range members {
		reminders.Members[audit.Membership{RoomID: row.RoomID, AccountID: row.AccountID}] = audit.Reminded{
			Number: row.Number, At: row.ClaimedAt.UTC(), FailedAt: row.FailedAt.UTC(),
		}
	}
	digests, err := r.store.q.ListDigested(ctx, r.portal.ID)
	if err != nil {
		return reminders, fmt.Errorf("read who got a digest: %w", err)
	}
	for _, row := range digests {
		reminders.Digests[row.Email] = audit.Reminded{Number: row.Number, At: row.ClaimedAt.UTC(), FailedAt: row.FailedAt.UTC()}
	}
	return reminders, nil
}

// ReminderHistory returns the whole ledger, newest first.
func (r *Reader) ReminderHistory(ctx context.Context) ([]audit.ReminderRecord, []audit.DigestRecord, error) {
	rows, err := r.store.q.ListReminders(ctx, r.portal.ID)
	if err != nil {
		return nil, nil, fmt.Errorf("read the reminders: %w", err)
	}
	reminders := make([]audit.ReminderRecord, len(rows))
	for i, row := range rows {
		reminders[i] = audit.ReminderRecord{
			Membership: audit.Membership{RoomID: row.RoomID, AccountID: row.AccountID}, Title: row.Title, Name: row.Name,
			Verdict: row.Verdict, CameBackAt: row.CameBackAt.UTC(),
			MailRecord: audit.MailRecord{
				Number: row.Number, State: audit.Delivery(row.State), Email: row.Email, MessageID: row.MessageID,
				Window:    audit.Span{From: row.WindowFrom.UTC(), To: row.WindowTo.UTC()},
				ClaimedAt: row.ClaimedAt.UTC(), SettledAt: zeroTime(row.SettledAt), Attempts: row.Attempts, Error: textOrEmpty(row.Error),
			},
		}
	}
	sent, err := r.store.q.ListDigests(ctx, r.portal.ID)
	if err != nil {
		return nil, nil, fmt.Errorf("read the digests: %w", err)
	}
	digests := make([]audit.DigestRecord, len(sent))
	for i, row := range sent {
		digests[i] = audit.DigestRecord{
			Name: row.Name, Rooms: row.Rooms, Members: row.Members,
			MailRecord: audit.MailRecord{
				Number: row.Number, State: audit.Delivery(row.State), Email: row.Email, MessageID: row.MessageID,
				Window:    audit.Span{From: row.WindowFrom.UTC(), To: row.WindowTo.UTC()},
				ClaimedAt: row.ClaimedAt.UTC(), SettledAt: zeroTime(row.SettledAt), Attempts: row.Attempts, Error: textOrEmpty(row.Error),
			},
		}
	}
	return reminders, digests, nil
}

func textOrEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
