package store

import (
	"context"
	"fmt"
	"time"

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

// addToRollups adds events that have just been stored to the rollups.
func (w *Writer) addToRollups(ctx context.Context, q *db.Queries, t tally) error {
	if err := w.addToRoomDays(ctx, q, t.rooms); err != nil {
		return err
	}
	accounts := db.AddToAccountDaysParams{PortalID: w.Portal.ID}
	for key, c := range t.accounts {
		accounts.AccountKeys = append(accounts.AccountKeys, key.account)
		accounts.Days = append(accounts.Days, dayTime(key.day))
		accounts.Events = append(accounts.Events, c.events)
		accounts.LastAt = append(accounts.LastAt, c.last)
	}
	if err := q.AddToAccountDays(ctx, accounts); err != nil {
		return fmt.Errorf("add to account days: %w", err)
	}
	return w.addToEventHours(ctx, q, t.hours)
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

// addToEventHours adds differences, which can be negative, to event_day too.
func (w *Writer) addToEventHours(ctx context.Context, q *db.Queries, hours map[eventHour]int32) error {
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
	return nil
}
