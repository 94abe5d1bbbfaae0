package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"roompulse/db"
	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

// place is where an event is counted: in which room (0: none) and as what.
type place struct {
	room   int32
	source attribution.Source
	class  audit.Class
}

// eventPlace is an event as it is counted.
type eventPlace struct {
	id      int64
	at      time.Time
	account int32
	place
}

// change moves an event to another place.
type change struct {
	eventPlace
	now place
}

func placeOf(row db.ListEventsByIDRow) eventPlace {
	return eventPlace{row.EventID, row.OccurredAt, row.AccountKey, toPlace(row.RoomKey, row.RoomSource, row.Class)}
}

func toPlace(room *int32, source, class int16) place {
	p := place{source: attribution.Source(source), class: audit.Class(class)}
	if room != nil {
		p.room = *room
	}
	return p
}

// reattribute moves events and recounts exactly the rollup rows that they touch.
func (w *Writer) reattribute(ctx context.Context, q *db.Queries, changes []change) error {
	if len(changes) == 0 {
		return nil
	}
	set := db.SetEventRoomsParams{PortalID: w.Portal.ID}
	for _, c := range changes {
		set.EventIDs = append(set.EventIDs, c.id)
		set.RoomKeys = append(set.RoomKeys, c.now.room)
		set.RoomSources = append(set.RoomSources, int16(c.now.source))
		set.Classes = append(set.Classes, int16(c.now.class))
	}
	if err := q.SetEventRooms(ctx, set); err != nil {
		return fmt.Errorf("move events to other rooms: %w", err)
	}
	if err := w.recountRoomDays(ctx, q, changes); err != nil {
		return err
	}
	return w.shiftEventDays(ctx, q, changes)
}

// roomDay is the key of a row of the table of that name.
type roomDay struct {
	room, account int32
	day           int64 // UTC days since 1970
}

func (a roomDay) compare(b roomDay) int {
	return cmp.Or(cmp.Compare(a.room, b.room), cmp.Compare(a.account, b.account), cmp.Compare(a.day, b.day))
}

const secondsADay = 24 * 60 * 60

func dayOf(t time.Time) int64 {
	// Dates before 1970 do not occur: sync asks for nothing before 2010.
	return t.Unix() / secondsADay
}

func dayTime(day int64) time.Time { return time.Unix(day*secondsADay, 0).UTC() }

func (w *Writer) recountRoomDays(ctx context.Context, q *db.Queries, changes []change) error {
	touched := map[roomDay]bool{}
	for _, c := range changes {
		if c.room == c.now.room && c.class == c.now.class {
			continue // surer than before, but counted where it was
		}
		for _, room := range []int32{c.room, c.now.room} {
			if room != 0 {
				touched[roomDay{room, c.account, dayOf(c.at)}] = true
			}
		}
	}
	if len(touched) == 0 {
		return nil
	}
	keys := make([]roomDay, 0, len(touched))
	for key := range touched {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, roomDay.compare)
	arg := db.RecountRoomDaysParams{PortalID: w.Portal.ID}
	for _, key := range keys {
		arg.RoomKeys = append(arg.RoomKeys, key.room)
		arg.AccountKeys = append(arg.AccountKeys, key.account)
		arg.Days = append(arg.Days, dayTime(key.day))
	}
	err := q.DeleteRoomDays(ctx, db.DeleteRoomDaysParams{
		PortalID: w.Portal.ID, RoomKeys: arg.RoomKeys, AccountKeys: arg.AccountKeys, Days: arg.Days,
	})
	if err != nil {
		return fmt.Errorf("clear room days: %w", err)
	}
	if err := q.RecountRoomDays(ctx, arg); err != nil {
		return fmt.Errorf("recount room days: %w", err)
	}
	return nil
}

// shiftEventDays moves the events' numbers from one row to another: counts can
// be subtracted, unlike first and last times.
func (w *Writer) shiftEventDays(ctx context.Context, q *db.Queries, changes []change) error {
	type eventDay struct {
		day    int64
		source attribution.Source
		class  audit.Class
	}
	shifts := map[eventDay]int64{}
	for _, c := range changes {
		shifts[eventDay{dayOf(c.at), c.source, c.class}]--
		shifts[eventDay{dayOf(c.at), c.now.source, c.now.class}]++
	}
	arg := db.AddToEventDaysParams{PortalID: w.Portal.ID}
	for key, n := range shifts {
		if n == 0 {
			continue
		}
		arg.Days = append(arg.Days, dayTime(key.day))
		arg.RoomSources = append(arg.RoomSources, int16(key.source))
		arg.Classes = append(arg.Classes, int16(key.class))
		arg.Events = append(arg.Events, n)
	}
	if err := q.AddToEventDays(ctx, arg); err != nil {
		return fmt.Errorf("shift event days: %w", err)
	}
	if err := q.DeleteEmptyEventDays(ctx, db.DeleteEmptyEventDaysParams{PortalID: w.Portal.ID, Days: arg.Days}); err != nil {
		return fmt.Errorf("clear event days: %w", err)
	}
	return nil
}

// chunk is how many events are judged again in one transaction.
const chunk = 20_000

// JudgeStale judges events anew whose context names a title of which more has
// become known. judge gives the new answer for an event of which only what
// titles depend on is set. Chunks commit one by one; what is left stays marked.
func (w *Writer) JudgeStale(ctx context.Context, judge func(audit.Event) attribution.Answer) error {
	contexts, err := w.q.ListStaleContexts(ctx, w.Portal.ID)
	if err != nil {
		return fmt.Errorf("read contexts to judge again: %w", err)
	}
	for _, c := range contexts {
		after, done := int64(-1), false
		for !done {
			err := w.inTx(ctx, func(ctx context.Context, q *db.Queries) (err error) {
				after, done, err = w.judgeChunk(ctx, q, c, after, judge)
				return err
			})
			if err != nil {
				return fmt.Errorf("judge events of %q again: %w", c.Context, err)
			}
		}
	}
	return nil
}

func (w *Writer) judgeChunk(
	ctx context.Context, q *db.Queries, c db.ListStaleContextsRow, after int64, judge func(audit.Event) attribution.Answer,
) (last int64, done bool, err error) {
	rows, err := q.ListEventsOfContext(ctx, db.ListEventsOfContextParams{
		PortalID: w.Portal.ID, ContextKey: &c.ContextKey, AfterEventID: after, Chunk: chunk,
	})
	if err != nil {
		return 0, false, fmt.Errorf("read events: %w", err)
	}
	answers := make([]attribution.Answer, len(rows))
	rooms := map[roomID]bool{}
	for i, row := range rows {
		last = row.EventID
		answers[i] = judge(judgedEvent(row, c.Context))
		if answers[i].RoomID != "" {
			rooms[roomID{answers[i].RoomID, answers[i].Unresolved()}] = true
		}
	}
	if err := w.roomKeys(ctx, q, rooms); err != nil {
		return 0, false, err
	}
	var changes []change
	for i, row := range rows {
		was := eventPlace{row.EventID, row.OccurredAt, row.AccountKey, toPlace(row.RoomKey, row.RoomSource, row.Class)}
		now := place{source: answers[i].Source, class: was.class}
		if answers[i].RoomID != "" {
			now.room = w.keys.rooms[roomID{answers[i].RoomID, answers[i].Unresolved()}]
		}
		if now != was.place {
			changes = append(changes, change{was, now})
		}
	}
	if err := w.reattribute(ctx, q, changes); err != nil {
		return 0, false, err
	}
	done = len(rows) < chunk
	if done {
		err = q.SetContextFresh(ctx, db.SetContextFreshParams{PortalID: w.Portal.ID, ContextKey: c.ContextKey})
	}
	return last, done, err
}

// judgedEvent is the part of a stored event that the rules look at.
func judgedEvent(row db.ListEventsOfContextRow, contextText string) audit.Event {
	e := audit.Event{ID: row.EventID, At: row.OccurredAt.UTC()}
	e.Kind.ActionID = row.ActionID
	if row.Product != nil {
		e.Kind.Product = sql.NullInt16{Int16: *row.Product, Valid: true}
	}
	if row.Target != nil {
		e.Target = strings.Split(*row.Target, ",")
	}
	e.Context = sql.NullString{String: contextText, Valid: true}
	e.Payload.FolderID = row.FolderID
	return e
}
