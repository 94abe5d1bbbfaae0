package store_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roompulse/internal/attribution"
	"roompulse/internal/audit"
	"roompulse/internal/testkit/pgtest"
)

// TestShiftsEqualRecount: however logs and late listings move events between rooms, classes and hours, the
// rollups are what a count of the raw events gives. Few moments, so that events share the first and the last one of a day.
func TestShiftsEqualRecount(t *testing.T) {
	t.Parallel()
	st := open(t, pgtest.New(t))
	ctx := context.WithoutCancel(t.Context())
	rooms := []string{"r0", "r1", "Title"}
	people := []string{"p0", "p1"}
	portals := 0
	rapid.Check(t, func(t *rapid.T) {
		portals++
		w, err := st.OpenWriter(ctx, fmt.Sprintf("https://s%d.example.org", portals), owner(strconv.Itoa(portals)), now)
		check := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		check(err)
		defer w.Close()
		_, err = w.StartRun(ctx, "test", now, now)
		check(err)

		var b attribution.Batch
		for i := range rapid.IntRange(1, 12).Draw(t, "events") {
			e := &audit.Event{
				ID: int64(i + 1), At: dayOne.Add(time.Duration(rapid.IntRange(20, 30).Draw(t, "hour")) * time.Hour),
				ActorID: rapid.SampledFrom(people).Draw(t, "actor"),
			}
			room := rapid.SampledFrom(rooms).Draw(t, "room")
			answer := attribution.Answer{RoomID: room, Source: attribution.SourceTitle}
			if room == "Title" {
				answer.Source = attribution.SourceUnresolved
			}
			class := rapid.SampledFrom([]audit.Class{audit.ClassView, audit.ClassView, audit.ClassEdit, audit.ClassNone, audit.ClassNobody}).Draw(t, "class")
			if class == audit.ClassNone { // a log may make it the actor's own act
				e.Kind.ActionID = audit.ActionRoomCreateUser
			}
			b.Events, b.Answers, b.Classes = append(b.Events, e), append(b.Answers, answer), append(b.Classes, class)
		}
		b.Windows = []audit.ReadWindow{{
			Span: audit.Span{From: dayOne, To: dayOne.AddDate(0, 0, 3)}, ReadAt: now, Rows: len(b.Events), Events: b.Events,
		}}
		_, err = w.CommitWindows(ctx, b)
		check(err)

		b.Late = true // from now on
		for range rapid.IntRange(1, 4).Draw(t, "steps") {
			some := rapid.SliceOfNDistinct(rapid.IntRange(0, len(b.Events)-1), 1, -1, rapid.ID[int]).Draw(t, "moved")
			if rapid.Bool().Draw(t, "to another hour") {
				for _, i := range some {
					b.Events[i].At = b.Events[i].At.Add(-time.Hour)
				}
				_, err := w.CommitWindows(ctx, b)
				check(err)
				continue
			}
			turns := []audit.LogTurn{{RoomID: rooms[0]}, {RoomID: rooms[1]}}
			for _, i := range some {
				e := b.Events[i]
				entry := audit.LogEntry{EventID: e.ID, At: e.At, ActionID: e.Kind.ActionID, ActorID: e.ActorID}
				if e.Kind.ActionID == audit.ActionRoomCreateUser && rapid.Bool().Draw(t, "own") {
					entry.AccountID = e.ActorID
				}
				turn := &turns[rapid.IntRange(0, 1).Draw(t, "log of")]
				turn.Entries = append(turn.Entries, entry)
			}
			_, _, err := w.PutLogs(ctx, turns)
			check(err)
		}

		v, err := st.Reader(w.Portal).Verify(ctx, ignore)
		check(err)
		for _, f := range v.Findings {
			if f.Part != audit.PartClasses { // which are invented here
				t.Fatalf("wrong: %+v", f)
			}
		}
	})
}
