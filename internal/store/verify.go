package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"roompulse/db"
	"roompulse/internal/audit"
)

const (
	// verifyRooms and verifyAccounts are of how many the last events are compared at once.
	verifyRooms, verifyAccounts = 500, 5000
	// verifyWindows is how many complete windows are compared at once.
	verifyWindows = 500
)

// endOfDays is what NextDayHeld answers after the last day.
var endOfDays = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// verifier compares the warehouse with itself, a chunk in a transaction: days of
// events, rooms, accounts, complete windows. Its memory does not grow with the
// warehouse, and each chunk sees one state of it, so that a sync may run meanwhile.
type verifier struct {
	portal Portal
	inTx   func(context.Context, func(context.Context, *db.Queries) error) error
	writer *Writer // repairs; nil: only look
	now    time.Time
	tell   func(day time.Time)
	found  audit.Verification
}

// Verify compares rollups with raw events, the class of each event with the rules of
// this version, and complete windows with the rows held. It changes nothing and
// takes no lock. tell hears of each day that comes next.
func (r *Reader) Verify(ctx context.Context, tell func(day time.Time)) (audit.Verification, error) {
	v := verifier{portal: r.portal, tell: tell, inTx: func(ctx context.Context, f func(context.Context, *db.Queries) error) error {
		opts := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
		return pgx.BeginTxFunc(ctx, r.store.pool, opts, func(tx pgx.Tx) error { return f(ctx, r.store.q.WithTx(tx)) })
	}}
	return v.run(ctx)
}

// Repair is Verify that makes right what it can: it gives events their class as a
// re-attribution does, makes rollups anew, and takes windows that lack
// events out of what is complete, so that the next sync reads them.
func (w *Writer) Repair(ctx context.Context, now time.Time, tell func(day time.Time)) (audit.Verification, error) {
	v := verifier{portal: w.Portal, inTx: w.inTx, writer: w, now: now, tell: tell}
	return v.run(ctx)
}

func (v *verifier) run(ctx context.Context) (audit.Verification, error) {
	for _, pass := range []func(context.Context) error{v.days, v.roomLasts, v.accountLasts, v.windows, v.complete} {
		if err := pass(ctx); err != nil {
			return v.found, fmt.Errorf("verify the warehouse: %w", err)
		}
	}
	return v.found, nil
}

func (v *verifier) days(ctx context.Context) error {
	for since := (time.Time{}); ; {
		err := v.inTx(ctx, func(ctx context.Context, q *db.Queries) error {
			day, err := q.NextDayHeld(ctx, db.NextDayHeldParams{PortalID: v.portal.ID, Begins: since, Since: since})
			if err != nil || !day.Before(endOfDays) {
				since = endOfDays
				return err
			}
			v.tell(day)
			since = day.AddDate(0, 0, 1)
			return v.day(ctx, q, day, since)
		})
		if err != nil || !since.Before(endOfDays) {
			return err
		}
	}
}

func (v *verifier) day(ctx context.Context, q *db.Queries, day, next time.Time) error {
	for _, part := range []func(ctx context.Context, q *db.Queries, day, next time.Time) error{
		v.classes, v.roomDays, v.accountDays, v.eventHours,
	} {
		if err := part(ctx, q, day, next); err != nil {
			return fmt.Errorf("day %s: %w", day.Format(time.DateOnly), err)
		}
	}
	v.found.Days++
	return nil
}

// add notes what is wrong and can be repaired.
func (v *verifier) add(part audit.Part, rows int, day time.Time) {
	v.found.Add(part, int64(rows), day, v.writer != nil)
}

func (v *verifier) classes(ctx context.Context, q *db.Queries, day, next time.Time) error {
	arg := db.ListClassEvidenceParams{
		PortalID: v.portal.ID, Begins: day, Ends: next, Nobodies: audit.Nobodies(),
		Joins: []int32{audit.ActionRoomCreateUser, audit.ActionRoomRemoveUser},
	}
	groups, err := q.ListClassEvidence(ctx, arg)
	if err != nil {
		return fmt.Errorf("read what classes rest on: %w", err)
	}
	var wrong, torn int64
	for _, g := range groups {
		switch {
		case g.IsTorn:
			torn += g.Events
		case audit.Class(g.Class) != classOf(g):
			wrong += g.Events
		}
	}
	v.found.Add(audit.PartReferences, torn, day, false)
	v.found.Add(audit.PartClasses, wrong, day, v.writer != nil)
	if wrong == 0 || v.writer == nil {
		return nil
	}
	arg.ByEvent = true
	events, err := q.ListClassEvidence(ctx, arg)
	if err != nil {
		return fmt.Errorf("read what classes rest on: %w", err)
	}
	classes := map[int64]audit.Class{}
	for _, e := range events {
		if class := classOf(e); !e.IsTorn && audit.Class(e.Class) != class {
			classes[e.EventID] = class
		}
	}
	return v.writer.setClasses(ctx, q, classes)
}

// classOf is the class that this version gives to events by what is stored of them.
func classOf(row db.ListClassEvidenceRow) audit.Class {
	e := audit.Event{ActorID: "somebody"}
	if row.IsNobody {
		e.ActorID = audit.AccountNobody
	}
	e.Kind.ActionID = row.ActionID
	if row.Type != nil {
		e.Kind.Type = sql.NullInt16{Int16: *row.Type, Valid: true}
	}
	if row.Product != nil {
		e.Kind.Product = sql.NullInt16{Int16: *row.Product, Valid: true}
	}
	e.Page.Valid = row.HasPage
	e.Client = audit.NewClient(audit.Origin{IP: sql.NullString{Valid: row.HasIP}, Browser: sql.NullString{Valid: row.HasBrowser}})
	e.Payload.EntityType = row.EntityType
	return audit.Classify(e, row.OwnMembership)
}

// setClasses gives events another class and recounts what rests on it.
func (w *Writer) setClasses(ctx context.Context, q *db.Queries, classes map[int64]audit.Class) error {
	ids := make([]int64, 0, len(classes))
	for id := range classes {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for part := range slices.Chunk(ids, chunk) {
		rows, err := q.ListEventsByID(ctx, db.ListEventsByIDParams{PortalID: w.Portal.ID, EventIDs: part})
		if err != nil {
			return fmt.Errorf("look up events: %w", err)
		}
		changes := make([]change, len(rows))
		for i, row := range rows {
			changes[i] = change{eventPlace: placeOf(row)}
			changes[i].now = changes[i].place
			changes[i].now.class = classes[row.EventID]
		}
		if err := w.reattribute(ctx, q, changes); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) roomDays(ctx context.Context, q *db.Queries, day, next time.Time) error {
	wrong, err := q.ListWrongRoomDays(ctx, db.ListWrongRoomDaysParams{PortalID: v.portal.ID, Day: day, Begins: day, Ends: next})
	if err != nil {
		return fmt.Errorf("compare room_day: %w", err)
	}
	v.add(audit.PartRoomDays, len(wrong), day)
	if len(wrong) == 0 || v.writer == nil {
		return nil
	}
	rows := make([]roomSpan, len(wrong))
	for i, row := range wrong {
		rows[i] = roomSpan{roomDay{row.RoomKey, row.AccountKey, dayOf(day)}, day, next.Add(-time.Microsecond)}
	}
	return v.writer.recountRoomDays(ctx, q, rows)
}

func (v *verifier) accountDays(ctx context.Context, q *db.Queries, day, next time.Time) error {
	wrong, err := q.ListWrongAccountDays(ctx, db.ListWrongAccountDaysParams{PortalID: v.portal.ID, Day: day, Begins: day, Ends: next})
	if err != nil {
		return fmt.Errorf("compare account_day: %w", err)
	}
	v.add(audit.PartAccountDays, len(wrong), day)
	if len(wrong) == 0 || v.writer == nil {
		return nil
	}
	keys := make([]accountDay, len(wrong))
	for i, account := range wrong {
		keys[i] = accountDay{account, dayOf(day)}
	}
	return v.writer.recountAccountDays(ctx, q, keys)
}

func (v *verifier) eventHours(ctx context.Context, q *db.Queries, day, next time.Time) error {
	counted, err := q.CountWrongEventHours(ctx, db.CountWrongEventHoursParams{PortalID: v.portal.ID, Day: day, Begins: day, Ends: next})
	if err != nil {
		return fmt.Errorf("compare event_hour and event_day: %w", err)
	}
	v.found.Events += counted.Events
	v.found.Add(audit.PartEventHours, counted.WrongHours, day, v.writer != nil)
	v.found.Add(audit.PartEventDays, counted.WrongDays, day, v.writer != nil)
	if counted.WrongHours+counted.WrongDays == 0 || v.writer == nil {
		return nil
	}
	if err := q.DeleteEventHours(ctx, db.DeleteEventHoursParams{PortalID: v.portal.ID, Day: day, Begins: day, Ends: next}); err != nil {
		return fmt.Errorf("clear event hours: %w", err)
	}
	if err := q.RecountEventHours(ctx, db.RecountEventHoursParams{PortalID: v.portal.ID, Day: day, Begins: day, Ends: next}); err != nil {
		return fmt.Errorf("recount event hours: %w", err)
	}
	return nil
}

func (v *verifier) roomLasts(ctx context.Context) error {
	return v.ranges(ctx, verifyRooms, (*db.Queries).GetLastRoomKey, func(ctx context.Context, q *db.Queries, first, last int32) error {
		wrong, err := q.ListWrongRoomLasts(ctx, db.ListWrongRoomLastsParams{PortalID: v.portal.ID, FirstRoom: first, LastRoom: last})
		if err != nil {
			return fmt.Errorf("compare room_last of rooms %d to %d: %w", first, last, err)
		}
		v.add(audit.PartRoomLasts, len(wrong), time.Time{})
		if len(wrong) == 0 || v.writer == nil {
			return nil
		}
		keys := make([]roomLast, len(wrong))
		for i, row := range wrong {
			keys[i] = roomLast{row.RoomKey, row.AccountKey}
		}
		return v.writer.recountRoomLasts(ctx, q, keys)
	})
}

func (v *verifier) accountLasts(ctx context.Context) error {
	return v.ranges(ctx, verifyAccounts, (*db.Queries).GetLastAccountKey, func(ctx context.Context, q *db.Queries, first, last int32) error {
		wrong, err := q.ListWrongAccountLasts(ctx, db.ListWrongAccountLastsParams{PortalID: v.portal.ID, FirstAccount: first, LastAccount: last})
		if err != nil {
			return fmt.Errorf("compare account_last of accounts %d to %d: %w", first, last, err)
		}
		v.add(audit.PartAccountLasts, len(wrong), time.Time{})
		if len(wrong) == 0 || v.writer == nil {
			return nil
		}
		return v.writer.recountAccountLasts(ctx, q, wrong)
	})
}

// ranges calls compare for all keys, so many at a time and in a transaction each.
func (v *verifier) ranges(
	ctx context.Context, size int32, lastKey func(*db.Queries, context.Context, int32) (int32, error),
	compare func(ctx context.Context, q *db.Queries, first, last int32) error,
) error {
	for first, done := int32(math.MinInt32), false; !done; {
		err := v.inTx(ctx, func(ctx context.Context, q *db.Queries) error {
			last, err := lastKey(q, ctx, v.portal.ID)
			if err != nil {
				return fmt.Errorf("count keys: %w", err)
			}
			end := max(first, 0) + size
			if done = end > last; done { // rows of what is not there, too
				end = math.MaxInt32
			}
			if err := compare(ctx, q, first, end); err != nil {
				return err
			}
			first = end + 1
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) windows(ctx context.Context) error {
	for since, done := (time.Time{}), false; !done; {
		err := v.inTx(ctx, func(ctx context.Context, q *db.Queries) error {
			rows, err := q.ListWindowsFrom(ctx, db.ListWindowsFromParams{PortalID: v.portal.ID, Since: since, Chunk: verifyWindows})
			if err != nil {
				return fmt.Errorf("compare windows: %w", err)
			}
			// The last of a full chunk is the first of the next one, which shows whether it reaches into its neighbour.
			if done = len(rows) < verifyWindows; !done {
				rows, since = rows[:len(rows)-1], rows[len(rows)-1].WindowFrom
			}
			for _, row := range rows {
				v.found.Windows++
				if row.Held >= row.Rows && !row.Overlaps {
					continue
				}
				v.add(audit.PartWindows, 1, row.WindowFrom.UTC().Truncate(24*time.Hour))
				if v.writer == nil {
					continue
				}
				if err := v.writer.reopen(ctx, q, audit.Span{From: row.WindowFrom.UTC(), To: row.WindowTo.UTC()}, v.now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) complete(ctx context.Context) error {
	return v.inTx(ctx, func(ctx context.Context, q *db.Queries) error {
		wrong, err := q.ListWrongComplete(ctx, v.portal.ID)
		if err != nil {
			return fmt.Errorf("compare what is complete: %w", err)
		}
		for _, span := range wrong {
			v.add(audit.PartComplete, 1, span.SpanFrom.UTC().Truncate(24*time.Hour))
		}
		if len(wrong) == 0 || v.writer == nil {
			return nil
		}
		return q.RemakeComplete(ctx, v.portal.ID)
	})
}

// reopen takes a span out of what is complete. Sync reads it again, or it is a
// gap where the past is closed.
func (w *Writer) reopen(ctx context.Context, q *db.Queries, span audit.Span, now time.Time) error {
	portal, err := q.GetPortalByHost(ctx, w.Portal.Host)
	if err != nil {
		return fmt.Errorf("read the portal: %w", err)
	}
	if err := w.cutWindows(ctx, q, span); err != nil {
		return err
	}
	if portal.ClosedUntil == nil || !span.From.Before(*portal.ClosedUntil) {
		return nil
	}
	span.To = audit.Earlier(span.To, portal.ClosedUntil.UTC())
	const cause = "the warehouse lost events of a time that the portal lists under other ids since its restore"
	return w.addGap(ctx, q, audit.Gap{Span: span, Cause: cause, FoundAt: now, Lost: true})
}
