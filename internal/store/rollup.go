package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"roompulse/db"
	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

// tally is what events add to the rollups. What is counted where is what the Recount queries say.
type tally struct {
	rooms    roomCounts
	accounts map[accountDay]*count
	hours    map[eventHour]int32
}

// roomCounts are what rows of room_day count.
type roomCounts map[roomDay]*roomCount

// roomCount has the counts of views, edits and manages.
type roomCount [3]count

// add counts an event, if it is one that room_day counts.
func (r roomCounts) add(account, room int32, class audit.Class, at time.Time) {
	if room != 0 && class >= audit.ClassView {
		entry(r, roomDay{room, account, dayOf(at)})[class-audit.ClassView].add(at)
	}
}

// first and last are the dates of the first and the last event of any class.
func (r *roomCount) first() (at time.Time) {
	for _, c := range r {
		if c.events > 0 && (at.IsZero() || c.first.Before(at)) {
			at = c.first
		}
	}
	return at
}

func (r *roomCount) last() (at time.Time) {
	for _, c := range r {
		at = audit.Later(at, c.last)
	}
	return at
}

// count is a number of events with the first and the last of their dates.
type count struct {
	events      int32
	first, last time.Time
}

func newTally() tally {
	return tally{rooms: roomCounts{}, accounts: map[accountDay]*count{}, hours: map[eventHour]int32{}}
}

func (t tally) add(e *db.CopyEventsParams) {
	day, class := dayOf(e.OccurredAt), audit.Class(e.Class)
	t.hours[eventHour{hourOf(e.OccurredAt), attribution.Source(e.RoomSource), class}]++
	if class != audit.ClassNobody {
		entry(t.accounts, accountDay{e.AccountKey, day}).add(e.OccurredAt)
	}
	if e.RoomKey != nil {
		t.rooms.add(e.AccountKey, *e.RoomKey, class, e.OccurredAt)
	}
}

// entry returns the value of a key, a new one if it has none.
func entry[K comparable, V any](m map[K]*V, key K) *V {
	v := m[key]
	if v == nil {
		v = new(V)
		m[key] = v
	}
	return v
}

func (c *count) add(at time.Time) {
	if c.events == 0 || at.Before(c.first) {
		c.first = at
	}
	if c.events == 0 || at.After(c.last) {
		c.last = at
	}
	c.events++
}

// values are those of a row of room_day: null where there are no events.
func (c *count) values() (events *int32, first, last *time.Time) {
	if c.events == 0 {
		return nil, nil, nil
	}
	return &c.events, &c.first, &c.last
}

// addToRollups adds events that have just been stored to the rollups. Days of which nothing is counted yet, most of
// those of a first sync, have their rows copied: to look for each row first takes half as long again.
func (w *Writer) addToRollups(ctx context.Context, q *db.Queries, t tally) error {
	if err := w.raiseLasts(ctx, q, t); err != nil {
		return err
	}
	if err := w.copyNewDays(ctx, q, t); err != nil {
		return err
	}
	if err := w.addToRoomDays(ctx, q, t.rooms); err != nil {
		return err
	}
	if err := w.addToAccountDays(ctx, q, t.accounts); err != nil {
		return err
	}
	return w.addToEventHours(ctx, q, t.hours)
}

// copyNewDays stores the rows of days that have none yet, and takes them out of the tally.
func (w *Writer) copyNewDays(ctx context.Context, q *db.Queries, t tally) error {
	days := map[int64]bool{}
	for key := range t.hours {
		days[key.day()] = true
	}
	arg := db.ListCountedDaysParams{PortalID: w.Portal.ID}
	for day := range days {
		arg.Days = append(arg.Days, dayTime(day))
	}
	counted, err := q.ListCountedDays(ctx, arg)
	if err != nil {
		return fmt.Errorf("look for days that are counted: %w", err)
	}
	for _, day := range counted {
		delete(days, dayOf(day))
	}
	if len(days) == 0 {
		return nil
	}
	if err := w.copyRoomDays(ctx, q, takeOut(t.rooms, func(key roomDay) bool { return days[key.day] })); err != nil {
		return fmt.Errorf("copy room days: %w", explainTwice(err))
	}
	if err := w.copyAccountDays(ctx, q, takeOut(t.accounts, func(key accountDay) bool { return days[key.day] })); err != nil {
		return fmt.Errorf("copy account days: %w", explainTwice(err))
	}
	hours := takeOut(t.hours, func(key eventHour) bool { return days[key.day()] })
	if err := w.copyEventHours(ctx, q, hours); err != nil {
		return fmt.Errorf("copy event hours: %w", explainTwice(err))
	}
	return w.addToEventDays(ctx, q, hours)
}

const pgUniqueViolation = "23505"

// explainTwice says what mends a day that has counts although event_day has no row of it.
func explainTwice(err error) error {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == pgUniqueViolation {
		return fmt.Errorf("the counts of a day contradict each other, as after a change by somebody else; `roompulse verify --repair` mends them: %w", err)
	}
	return err
}

// takeOut moves the values with such keys to another map.
func takeOut[K comparable, V any](from map[K]V, such func(K) bool) map[K]V {
	taken := map[K]V{}
	for key, value := range from {
		if such(key) {
			taken[key] = value
			delete(from, key)
		}
	}
	return taken
}

func (w *Writer) copyRoomDays(ctx context.Context, q *db.Queries, rooms roomCounts) error {
	rows := make([]db.CopyRoomDaysParams, 0, len(rooms))
	for _, key := range slices.SortedFunc(maps.Keys(rooms), roomDay.compare) {
		c := rooms[key]
		row := db.CopyRoomDaysParams{PortalID: w.Portal.ID, RoomKey: key.room, AccountKey: key.account, Day: dayTime(key.day)}
		row.Views, row.ViewFirstAt, row.ViewLastAt = c[0].values()
		row.Edits, row.EditFirstAt, row.EditLastAt = c[1].values()
		row.Manages, row.ManageFirstAt, row.ManageLastAt = c[2].values()
		rows = append(rows, row)
	}
	_, err := q.CopyRoomDays(ctx, rows)
	return err
}

func (w *Writer) copyAccountDays(ctx context.Context, q *db.Queries, accounts map[accountDay]*count) error {
	rows := make([]db.CopyAccountDaysParams, 0, len(accounts))
	for key, c := range accounts {
		rows = append(rows, db.CopyAccountDaysParams{
			PortalID: w.Portal.ID, AccountKey: key.account, Day: dayTime(key.day), Events: c.events, LastAt: c.last,
		})
	}
	slices.SortFunc(rows, func(a, b db.CopyAccountDaysParams) int {
		return cmp.Or(cmp.Compare(a.AccountKey, b.AccountKey), a.Day.Compare(b.Day))
	})
	_, err := q.CopyAccountDays(ctx, rows)
	return err
}

func (w *Writer) copyEventHours(ctx context.Context, q *db.Queries, hours map[eventHour]int32) error {
	rows := make([]db.CopyEventHoursParams, 0, len(hours))
	for key, n := range hours {
		rows = append(rows, db.CopyEventHoursParams{
			PortalID: w.Portal.ID, Hour: hourTime(key.hour), RoomSource: int16(key.source), Class: int16(key.class), Events: n,
		})
	}
	slices.SortFunc(rows, func(a, b db.CopyEventHoursParams) int {
		return cmp.Or(a.Hour.Compare(b.Hour), cmp.Compare(a.RoomSource, b.RoomSource), cmp.Compare(a.Class, b.Class))
	})
	_, err := q.CopyEventHours(ctx, rows)
	return err
}

func (w *Writer) addToRoomDays(ctx context.Context, q *db.Queries, rooms roomCounts) error {
	if len(rooms) == 0 {
		return nil
	}
	if err := q.AddToRoomDays(ctx, w.roomDaysArg(rooms)); err != nil {
		return fmt.Errorf("add to room days: %w", err)
	}
	return nil
}

func (w *Writer) roomDaysArg(rooms roomCounts) db.AddToRoomDaysParams {
	arg := db.AddToRoomDaysParams{PortalID: w.Portal.ID}
	for key, c := range rooms {
		views, edits, manages := &c[0], &c[1], &c[2]
		arg.RoomKeys = append(arg.RoomKeys, key.room)
		arg.AccountKeys = append(arg.AccountKeys, key.account)
		arg.Days = append(arg.Days, dayTime(key.day))
		arg.Views = append(arg.Views, views.events)
		arg.ViewFirstAt = append(arg.ViewFirstAt, views.first)
		arg.ViewLastAt = append(arg.ViewLastAt, views.last)
		arg.Edits = append(arg.Edits, edits.events)
		arg.EditFirstAt = append(arg.EditFirstAt, edits.first)
		arg.EditLastAt = append(arg.EditLastAt, edits.last)
		arg.Manages = append(arg.Manages, manages.events)
		arg.ManageFirstAt = append(arg.ManageFirstAt, manages.first)
		arg.ManageLastAt = append(arg.ManageLastAt, manages.last)
	}
	return arg
}

func (w *Writer) addToAccountDays(ctx context.Context, q *db.Queries, accounts map[accountDay]*count) error {
	if len(accounts) == 0 {
		return nil
	}
	arg := db.AddToAccountDaysParams{PortalID: w.Portal.ID}
	for key, c := range accounts {
		arg.AccountKeys = append(arg.AccountKeys, key.account)
		arg.Days = append(arg.Days, dayTime(key.day))
		arg.Events = append(arg.Events, c.events)
		arg.LastAt = append(arg.LastAt, c.last)
	}
	if err := q.AddToAccountDays(ctx, arg); err != nil {
		return fmt.Errorf("add to account days: %w", err)
	}
	return nil
}

// raiseLasts brings room_last and account_last up to date with events that have come.
func (w *Writer) raiseLasts(ctx context.Context, q *db.Queries, t tally) error {
	if err := w.raiseRoomLasts(ctx, q, t.rooms); err != nil {
		return err
	}
	lasts := map[int32]time.Time{}
	for key, c := range t.accounts {
		lasts[key.account] = audit.Later(lasts[key.account], c.last)
	}
	if len(lasts) == 0 {
		return nil
	}
	arg := db.RaiseAccountLastsParams{PortalID: w.Portal.ID}
	for account, last := range lasts {
		arg.AccountKeys = append(arg.AccountKeys, account)
		arg.LastAt = append(arg.LastAt, last)
	}
	if err := q.RaiseAccountLasts(ctx, arg); err != nil {
		return fmt.Errorf("raise last events of accounts: %w", err)
	}
	return nil
}

func (w *Writer) raiseRoomLasts(ctx context.Context, q *db.Queries, rooms roomCounts) error {
	if len(rooms) == 0 {
		return nil
	}
	lasts := map[roomLast]*[3]time.Time{}
	for key, c := range rooms {
		last := entry(lasts, roomLast{key.room, key.account})
		for i := range c {
			last[i] = audit.Later(last[i], c[i].last)
		}
	}
	arg := db.RaiseRoomLastsParams{PortalID: w.Portal.ID}
	for key, last := range lasts {
		arg.RoomKeys = append(arg.RoomKeys, key.room)
		arg.AccountKeys = append(arg.AccountKeys, key.account)
		arg.ViewLastAt = append(arg.ViewLastAt, last[0])
		arg.EditLastAt = append(arg.EditLastAt, last[1])
		arg.ManageLastAt = append(arg.ManageLastAt, last[2])
	}
	if err := q.RaiseRoomLasts(ctx, arg); err != nil {
		return fmt.Errorf("raise last events of rooms: %w", err)
	}
	return nil
}

// addToEventHours adds differences, which can be negative, to event_day too.
func (w *Writer) addToEventHours(ctx context.Context, q *db.Queries, hours map[eventHour]int32) error {
	if len(hours) == 0 {
		return nil
	}
	arg := db.AddToEventHoursParams{PortalID: w.Portal.ID}
	for key, n := range hours {
		arg.Hours = append(arg.Hours, hourTime(key.hour))
		arg.RoomSources = append(arg.RoomSources, int16(key.source))
		arg.Classes = append(arg.Classes, int16(key.class))
		arg.Events = append(arg.Events, n)
	}
	if err := q.AddToEventHours(ctx, arg); err != nil {
		return fmt.Errorf("add to event hours: %w", err)
	}
	return w.addToEventDays(ctx, q, hours)
}

func (w *Writer) addToEventDays(ctx context.Context, q *db.Queries, hours map[eventHour]int32) error {
	days := map[eventDay]int32{}
	for key, n := range hours {
		days[eventDay{key.day(), key.source, key.class}] += n
	}
	arg := db.AddToEventDaysParams{PortalID: w.Portal.ID}
	for key, n := range days {
		if n == 0 {
			continue
		}
		arg.Days = append(arg.Days, dayTime(key.day))
		arg.RoomSources = append(arg.RoomSources, int16(key.source))
		arg.Classes = append(arg.Classes, int16(key.class))
		arg.Events = append(arg.Events, n)
	}
	if len(arg.Days) == 0 {
		return nil
	}
	if err := q.AddToEventDays(ctx, arg); err != nil {
		return fmt.Errorf("add to event days: %w", err)
	}
	return nil
}
