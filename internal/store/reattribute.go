package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
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

// change moves an event to another place or time.
type change struct {
	eventPlace
	now place
	// movedTo is its right date, zero if it keeps the one it has.
	movedTo time.Time
}

func (c *change) nowAt() time.Time {
	if c.movedTo.IsZero() {
		return c.at
	}
	return c.movedTo
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
	return w.recount(ctx, q, changes)
}

// recount brings the rollup rows that the changes touch up to date.
func (w *Writer) recount(ctx context.Context, q *db.Queries, changes []change) error {
	if err := w.shiftRoomDays(ctx, q, changes); err != nil {
		return err
	}
	if err := w.recountAccountDays(ctx, q, touchedAccountDays(changes)); err != nil {
		return err
	}
	return w.shiftEventHours(ctx, q, changes)
}

// shiftRoomDays takes the events out of the rows that counted them, and adds them to those where they
// belong. Where the first or the last of a row has left, only raw events tell which one is that now.
func (w *Writer) shiftRoomDays(ctx context.Context, q *db.Queries, changes []change) error {
	left, come := roomCounts{}, roomCounts{}
	for _, c := range changes {
		if c.room == c.now.room && c.class == c.now.class && c.movedTo.IsZero() {
			continue // surer than before, but counted where it was
		}
		left.add(c.account, c.room, c.class, c.at)
		come.add(c.account, c.now.room, c.now.class, c.nowAt())
	}
	unsure, less, err := w.subtractFromRoomDays(ctx, q, left)
	if err != nil {
		return err
	}
	for i := range unsure {
		row := &unsure[i]
		if c := come[row.roomDay]; c != nil { // the new count has it as well
			row.first, row.last = audit.Earlier(row.first, c.first()), audit.Later(row.last, c.last())
			delete(come, row.roomDay)
		}
	}
	if err := w.recountRoomDays(ctx, q, unsure); err != nil {
		return err
	}
	if err := w.addToRoomDays(ctx, q, come); err != nil {
		return err
	}
	if err := w.raiseRoomLasts(ctx, q, come); err != nil {
		return err
	}
	return w.recountRoomLasts(ctx, q, lastsOf(less))
}

// subtractFromRoomDays returns the rows that have to be counted anew, and of the others those that have
// lost all events of a class. Rows without any are gone. Both are in order.
func (w *Writer) subtractFromRoomDays(ctx context.Context, q *db.Queries, left roomCounts) (unsure []roomSpan, less []roomDay, err error) {
	if len(left) == 0 {
		return nil, nil, nil
	}
	rows, err := q.SubtractFromRoomDays(ctx, db.SubtractFromRoomDaysParams(w.roomDaysArg(left)))
	if err != nil {
		return nil, nil, fmt.Errorf("subtract from room days: %w", err)
	}
	var empty []roomDay
	for _, row := range rows {
		key := roomDay{row.RoomKey, row.AccountKey, dayOf(row.Day)}
		if row.IsUnsure {
			unsure = append(unsure, roomSpan{key, row.FirstAt, row.LastAt})
			continue
		}
		less = append(less, key)
		if row.IsEmpty {
			empty = append(empty, key)
		}
	}
	slices.SortFunc(unsure, func(a, b roomSpan) int { return a.compare(b.roomDay) })
	slices.SortFunc(less, roomDay.compare)
	return unsure, less, w.deleteRoomDays(ctx, q, empty)
}

// The keys of rows of the tables of these names. Days are UTC days since 1970, hours likewise.
type (
	roomDay struct {
		room, account int32
		day           int64
	}
	// roomSpan has the time in which all events of the row lie, both ends included.
	roomSpan struct {
		roomDay
		first, last time.Time
	}
	roomLast struct {
		room, account int32
	}
	accountDay struct {
		account int32
		day     int64
	}
	eventHour struct {
		hour   int64
		source attribution.Source
		class  audit.Class
	}
	eventDay struct {
		day    int64
		source attribution.Source
		class  audit.Class
	}
)

func (h eventHour) day() int64 { return h.hour / hoursADay }

func (a roomDay) compare(b roomDay) int {
	return cmp.Or(cmp.Compare(a.room, b.room), cmp.Compare(a.account, b.account), cmp.Compare(a.day, b.day))
}

const (
	secondsAnHour = 60 * 60
	hoursADay     = 24
	secondsADay   = hoursADay * secondsAnHour
)

// Dates before 1970 do not occur: sync asks for nothing before 2010.

func dayOf(t time.Time) int64  { return t.Unix() / secondsADay }
func hourOf(t time.Time) int64 { return t.Unix() / secondsAnHour }

func dayTime(day int64) time.Time   { return time.Unix(day*secondsADay, 0).UTC() }
func hourTime(hour int64) time.Time { return time.Unix(hour*secondsAnHour, 0).UTC() }

// touchedAccountDays returns the rows of account_day that the changes touch.
func touchedAccountDays(changes []change) []accountDay {
	touched := map[accountDay]bool{}
	for _, c := range changes {
		if (c.class == audit.ClassNobody) != (c.now.class == audit.ClassNobody) || !c.movedTo.IsZero() {
			touched[accountDay{c.account, dayOf(c.at)}] = true
			touched[accountDay{c.account, dayOf(c.nowAt())}] = true
		}
	}
	return slices.Collect(maps.Keys(touched))
}

// lastsOf returns the rows of room_last that rest on the given days, which are in order.
func lastsOf(days []roomDay) []roomLast {
	lasts := make([]roomLast, len(days))
	for i, d := range days {
		lasts[i] = roomLast{d.room, d.account}
	}
	return slices.Compact(lasts)
}

// recountRoomDays makes rows of room_day anew from raw events, and those of room_last that rest on
// them. The rows are in order.
func (w *Writer) recountRoomDays(ctx context.Context, q *db.Queries, rows []roomSpan) error {
	if len(rows) == 0 {
		return nil
	}
	keys := make([]roomDay, len(rows))
	hours := map[time.Time]bool{}
	for i, row := range rows {
		keys[i] = row.roomDay
		for h := hourOf(row.first); h <= hourOf(row.last); h++ {
			hours[hourTime(h)] = true
		}
	}
	if err := w.deleteRoomDays(ctx, q, keys); err != nil {
		return err
	}
	arg := db.RecountRoomDaysParams{PortalID: w.Portal.ID, Hours: slices.SortedFunc(maps.Keys(hours), time.Time.Compare)}
	arg.RoomKeys, arg.AccountKeys, arg.Days = columns(keys)
	if err := q.RecountRoomDays(ctx, arg); err != nil {
		return fmt.Errorf("recount room days: %w", err)
	}
	return w.recountRoomLasts(ctx, q, lastsOf(keys))
}

func (w *Writer) deleteRoomDays(ctx context.Context, q *db.Queries, keys []roomDay) error {
	if len(keys) == 0 {
		return nil
	}
	rooms, accounts, days := columns(keys)
	arg := db.DeleteRoomDaysParams{PortalID: w.Portal.ID, RoomKeys: rooms, AccountKeys: accounts, Days: days}
	if err := q.DeleteRoomDays(ctx, arg); err != nil {
		return fmt.Errorf("clear room days: %w", err)
	}
	return nil
}

func columns(keys []roomDay) (rooms, accounts []int32, days []time.Time) {
	for _, key := range keys {
		rooms = append(rooms, key.room)
		accounts = append(accounts, key.account)
		days = append(days, dayTime(key.day))
	}
	return rooms, accounts, days
}

// recountRoomLasts makes rows anew from room_day.
func (w *Writer) recountRoomLasts(ctx context.Context, q *db.Queries, keys []roomLast) error {
	if len(keys) == 0 {
		return nil
	}
	arg := db.RecountRoomLastsParams{PortalID: w.Portal.ID}
	for _, key := range keys {
		arg.RoomKeys = append(arg.RoomKeys, key.room)
		arg.AccountKeys = append(arg.AccountKeys, key.account)
	}
	err := q.DeleteRoomLasts(ctx, db.DeleteRoomLastsParams{
		PortalID: arg.PortalID, RoomKeys: arg.RoomKeys, AccountKeys: arg.AccountKeys,
	})
	if err != nil {
		return fmt.Errorf("clear last events of rooms: %w", err)
	}
	if err := q.RecountRoomLasts(ctx, arg); err != nil {
		return fmt.Errorf("recount last events of rooms: %w", err)
	}
	return nil
}

// recountAccountDays makes rows of account_day anew from raw events, and those of
// account_last that rest on them.
func (w *Writer) recountAccountDays(ctx context.Context, q *db.Queries, keys []accountDay) error {
	if len(keys) == 0 {
		return nil
	}
	arg := db.RecountAccountDaysParams{PortalID: w.Portal.ID}
	for _, key := range keys {
		arg.AccountKeys = append(arg.AccountKeys, key.account)
		arg.Days = append(arg.Days, dayTime(key.day))
	}
	err := q.DeleteAccountDays(ctx, db.DeleteAccountDaysParams{
		PortalID: w.Portal.ID, AccountKeys: arg.AccountKeys, Days: arg.Days,
	})
	if err != nil {
		return fmt.Errorf("clear account days: %w", err)
	}
	if err := q.RecountAccountDays(ctx, arg); err != nil {
		return fmt.Errorf("recount account days: %w", err)
	}
	return w.recountAccountLasts(ctx, q, arg.AccountKeys)
}

// recountAccountLasts makes rows anew from account_day.
func (w *Writer) recountAccountLasts(ctx context.Context, q *db.Queries, accounts []int32) error {
	arg := db.RecountAccountLastsParams{PortalID: w.Portal.ID, AccountKeys: accounts}
	if err := q.DeleteAccountLasts(ctx, db.DeleteAccountLastsParams(arg)); err != nil {
		return fmt.Errorf("clear last events of accounts: %w", err)
	}
	if err := q.RecountAccountLasts(ctx, arg); err != nil {
		return fmt.Errorf("recount last events of accounts: %w", err)
	}
	return nil
}

// shiftEventHours moves the events' numbers from one row to another: counts can
// be subtracted, unlike first and last times.
func (w *Writer) shiftEventHours(ctx context.Context, q *db.Queries, changes []change) error {
	shifts := map[eventHour]int32{}
	for _, c := range changes {
		shifts[eventHour{hourOf(c.at), c.source, c.class}]--
		shifts[eventHour{hourOf(c.nowAt()), c.now.source, c.now.class}]++
	}
	maps.DeleteFunc(shifts, func(_ eventHour, n int32) bool { return n == 0 })
	if len(shifts) == 0 {
		return nil
	}
	if err := w.addToEventHours(ctx, q, shifts); err != nil {
		return err
	}
	var hours []time.Time
	for key := range shifts {
		hours = append(hours, hourTime(key.hour))
	}
	if err := q.DeleteEmptyEventHours(ctx, db.DeleteEmptyEventHoursParams{PortalID: w.Portal.ID, Hours: hours}); err != nil {
		return fmt.Errorf("clear event hours: %w", err)
	}
	return nil
}

// chunk is how many events are judged again in one transaction.
const chunk = 20_000

// Judge says where an event belongs of which only what the rules look at is
// set; sightings are those of its file or folder.
type Judge = func(e audit.Event, sightings []attribution.Sighting) attribution.Answer

// JudgeStale judges events anew whose context names a title of which more has
// become known. Chunks commit one by one; what is left stays marked.
//
// open returns what may still tell the room of the events that judge was asked
// about since it was last called: it is stored with their chunk.
func (w *Writer) JudgeStale(ctx context.Context, judge Judge, open func() attribution.Open) error {
	contexts, err := w.q.ListStaleContexts(ctx, w.Portal.ID)
	if err != nil {
		return fmt.Errorf("read contexts to judge again: %w", err)
	}
	for _, c := range contexts {
		after, done := int64(-1), false
		for !done {
			err := w.inTx(ctx, func(ctx context.Context, q *db.Queries) (err error) {
				after, done, err = w.judgeChunk(ctx, q, c, after, judge)
				if err != nil {
					return err
				}
				return w.addOpen(ctx, q, open())
			})
			if err != nil {
				return fmt.Errorf("judge events of %q again: %w", c.Context, err)
			}
		}
	}
	return nil
}

func (w *Writer) judgeChunk(
	ctx context.Context, q *db.Queries, c db.ListStaleContextsRow, after int64, judge Judge,
) (last int64, done bool, err error) {
	rows, err := q.ListEventsOfContext(ctx, db.ListEventsOfContextParams{
		PortalID: w.Portal.ID, ContextKey: &c.ContextKey, AfterEventID: after, Chunk: chunk,
	})
	if err != nil {
		return 0, false, fmt.Errorf("read events: %w", err)
	}
	events := make([]judged, len(rows))
	for i, row := range rows {
		last = row.EventID
		events[i] = judged{
			was:   eventPlace{row.EventID, row.OccurredAt, row.AccountKey, toPlace(row.RoomKey, row.RoomSource, row.Class)},
			event: judgedEvent(row.EventID, row.OccurredAt, row.ActionID, row.Product, row.Target, c.Context, row.FolderID),
		}
	}
	if err := w.judgeAgain(ctx, q, events, judge); err != nil {
		return 0, false, err
	}
	done = len(rows) < chunk
	if done {
		err = q.SetContextFresh(ctx, db.SetContextFreshParams{PortalID: w.Portal.ID, ContextKey: c.ContextKey})
	}
	return last, done, err
}

// judged is a stored event to judge again.
type judged struct {
	was   eventPlace
	event audit.Event
}

// judgeAgain moves events to where the rules say they belong by now.
func (w *Writer) judgeAgain(ctx context.Context, q *db.Queries, events []judged, judge Judge) error {
	plain := make([]*audit.Event, len(events))
	for i := range events {
		plain[i] = &events[i].event
	}
	sightings, err := w.sightings(ctx, q, plain)
	if err != nil {
		return err
	}
	var changes []change
	for _, e := range events {
		entry, _ := attribution.EntryOf(e.event)
		now, err := w.placeFor(ctx, q, judge(e.event, sightings[entry]), e.was.class)
		if err != nil {
			return err
		}
		if now != e.was.place {
			changes = append(changes, change{eventPlace: e.was, now: now})
		}
	}
	return w.reattribute(ctx, q, changes)
}

// placeFor is the place that an answer means, for an event of the given class.
func (w *Writer) placeFor(ctx context.Context, q *db.Queries, a attribution.Answer, class audit.Class) (place, error) {
	p := place{source: a.Source, class: class}
	if a.RoomID == "" {
		return p, nil
	}
	id := roomID{a.RoomID, a.Unresolved()}
	if err := w.roomKeys(ctx, q, map[roomID]bool{id: true}); err != nil {
		return p, err
	}
	p.room = w.keys.rooms[id]
	return p, nil
}

// judgedEvent is the part of a stored event that the rules look at.
func judgedEvent(id int64, at time.Time, action int32, product *int16, target *string, contextText, folderID string) audit.Event {
	e := audit.Event{ID: id, At: at.UTC(), Target: splitTarget(target)}
	e.Kind.ActionID = action
	if product != nil {
		e.Kind.Product = sql.NullInt16{Int16: *product, Valid: true}
	}
	e.Context = sql.NullString{String: contextText, Valid: true}
	e.Payload.FolderID = folderID
	return e
}

func splitTarget(target *string) []string {
	if target == nil {
		return nil
	}
	return strings.Split(*target, ",")
}
