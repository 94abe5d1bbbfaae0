package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"roompulse/internal/attribution"
	"roompulse/internal/audit"
	"roompulse/internal/testkit/pgtest"
)

// TestMissingSpansHourByHour: whatever windows are completed, become gaps, late ones too, and are closed again,
// what is missing is what the hours one by one say, in pieces as long as they can be.
func TestMissingSpansHourByHour(t *testing.T) {
	t.Parallel()
	st := open(t, pgtest.New(t))
	ctx := context.WithoutCancel(t.Context())
	const hours = 12
	hour := func(h int) time.Time { return dayOne.Add(time.Duration(h) * time.Hour) }
	portals := 0
	rapid.Check(t, func(t *rapid.T) {
		portals++
		w, err := st.OpenWriter(ctx, fmt.Sprintf("https://w%d.example.org", portals), owner(strconv.Itoa(portals)), now)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		var held, gap [hours]bool
		commit := func(from, to int, cause string) {
			read := audit.ReadWindow{Span: audit.Span{From: hour(from), To: hour(to)}, ReadAt: now, GapCause: cause}
			if _, err := w.CommitWindows(ctx, attribution.NewBatch(read)); err != nil {
				t.Fatalf("hours %d to %d, gap %q: %v", from, to, cause, err)
			}
			for h := from; h < to; h++ {
				held[h], gap[h] = cause == "", cause != ""
			}
		}
		for range rapid.IntRange(1, 8).Draw(t, "windows") {
			from := rapid.IntRange(0, hours-1).Draw(t, "from")
			to := from + 1
			switch {
			case rapid.IntRange(0, 2).Draw(t, "closes") == 0: // it is cut until it is as short as it can be
				commit(from, to, "will not close")
				continue
			case held[from]: // never read again but for late events
				continue
			case !gap[from]:
				for to < hours && !held[to] && !gap[to] && rapid.Bool().Draw(t, "longer") {
					to++
				}
			}
			commit(from, to, "")
		}

		since := rapid.IntRange(0, hours-1).Draw(t, "since")
		until := rapid.IntRange(since+1, hours).Draw(t, "until")
		var want []audit.Span
		for h := until - 1; h >= since; h-- {
			if held[h] || gap[h] {
				continue
			}
			if last := len(want) - 1; last >= 0 && want[last].From.Equal(hour(h+1)) {
				want[last].From = hour(h)
				continue
			}
			want = append(want, audit.Span{From: hour(h), To: hour(h + 1)})
		}
		got, err := w.MissingSpans(ctx, hour(since), hour(until))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("missing of hours %d to %d: %v, want %v", since, until, got, want)
		}
		gaps, err := w.Gaps(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for h, isGap := range gap {
			if isGap != slices.ContainsFunc(gaps, func(g audit.Gap) bool { return g.From.Equal(hour(h)) && g.To.Equal(hour(h+1)) }) {
				t.Fatalf("hour %d is a gap: %v, gaps %v", h, isGap, gaps)
			}
		}
		v, err := st.Reader(w.Portal).Verify(ctx, ignore)
		if err != nil || !v.Sound() {
			t.Fatalf("windows overlap, or do not make what is complete: %+v, %v", v, err)
		}
	})
}

// TestWindowsTogether: windows that are committed together leave what they leave one after another,
// also of events that two windows list and of acts that have an event in each.
func TestWindowsTogether(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	st, conn := open(t, url), connect(t, url)
	ctx := context.WithoutCancel(t.Context())
	portals := 0
	rapid.Check(t, func(t *rapid.T) {
		check := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		const seconds = 12
		second := func(halves int) time.Time { return dayOne.Add(time.Duration(halves) * time.Second / 2) }
		var events []*audit.Event
		for i := range rapid.IntRange(1, 12).Draw(t, "events") {
			e := &audit.Event{
				ID: int64(i + 1), At: second(rapid.IntRange(0, 2*seconds).Draw(t, "half second")), ActorID: "boss",
				Kind:   audit.Kind{ActionID: fileAction, Product: sql.NullInt16{Int16: audit.ProductDocuments, Valid: true}},
				Target: []string{"7"}, Context: sql.NullString{String: "Rooms: Tender", Valid: true},
			}
			if rapid.Bool().Draw(t, "move") {
				e.Kind.ActionID, e.Target = audit.ActionFolderMovedOverwriting, []string{rapid.SampledFrom([]string{"100", "101"}).Draw(t, "folder"), "900"}
				e.Context.Valid = rapid.Bool().Draw(t, "room")
			}
			events = append(events, e)
		}
		edges := rapid.SliceOfNDistinct(rapid.IntRange(1, seconds-1), 1, 4, rapid.ID[int]).Draw(t, "edges")
		edges = append(edges, 0, seconds+1)
		slices.Sort(edges)
		var windows []audit.ReadWindow
		for _, to := range rapid.Permutation(edges[1:]).Draw(t, "order") {
			from := edges[slices.Index(edges, to)-1]
			w := audit.ReadWindow{Span: audit.Span{From: second(2 * from), To: second(2 * to)}, ReadAt: now}
			for _, e := range events {
				if !e.At.Before(w.From) && !e.At.After(w.To) {
					w.Events = append(w.Events, e)
				}
			}
			w.Rows = len(w.Events)
			windows = append(windows, w)
		}

		left := func(groups iter.Seq[[]audit.ReadWindow]) (rows []string) {
			portals++
			w, err := st.OpenWriter(ctx, fmt.Sprintf("https://t%d.example.org", portals), owner(strconv.Itoa(portals)), now)
			check(err)
			defer w.Close()
			_, err = w.StartRun(ctx, "test", now, now)
			check(err)
			rooms := attribution.NewRooms([]attribution.Room{{ID: "812", Title: "Tender"}})
			stored := int64(0)
			for group := range groups {
				batch := attribution.NewBatch(group...)
				batch.Judge(attribution.Evidence{}, rooms)
				committed, err := w.CommitWindows(ctx, batch)
				check(err)
				stored += committed.NewEvents
			}
			if stored != int64(len(events)) {
				t.Fatalf("%d of %d events are new", stored, len(events))
			}
			result, err := conn.Query(ctx, `
				SELECT format('%s to %s: %s rows', window_from, window_to, rows) FROM sync_window WHERE portal_id = $1
				UNION ALL
				SELECT format('complete: %s', spans) FROM sync_complete WHERE portal_id = $1
				UNION ALL
				SELECT format('event %s at %s: class %s', event_id, occurred_at, class) FROM audit_event WHERE portal_id = $1
				UNION ALL
				SELECT format('event %s moved %s to %s: crossing %s', event_id, entry_id, parent_id, is_crossing) FROM entry_move WHERE portal_id = $1
				UNION ALL
				SELECT format('room day: %s views, %s edits until %s', views, edits, edit_last_at) FROM room_day WHERE portal_id = $1
				UNION ALL
				SELECT format('account day: %s events until %s', events, last_at) FROM account_day WHERE portal_id = $1
				ORDER BY 1`, w.Portal.ID)
			check(err)
			rows, err = pgx.CollectRows(result, pgx.RowTo[string])
			check(err)
			return rows
		}
		size := rapid.IntRange(2, len(windows)).Draw(t, "together")
		alone, together := left(slices.Chunk(windows, 1)), left(slices.Chunk(windows, size))
		if !slices.Equal(alone, together) {
			t.Fatalf("one after another:\n%s\ntogether:\n%s", strings.Join(alone, "\n"), strings.Join(together, "\n"))
		}
	})
}

// TestQuarantinedAtTheEdge: an item that two neighbours list, since it lies in their common second, is held for both.
func TestQuarantinedAtTheEdge(t *testing.T) {
	t.Parallel()
	st := open(t, pgtest.New(t))
	hour := func(h int) time.Time { return dayOne.Add(time.Duration(h) * time.Hour) }
	window := func(from int, items ...byte) audit.ReadWindow {
		w := audit.ReadWindow{Span: audit.Span{From: hour(from), To: hour(from + 1)}, ReadAt: now, Rows: len(items)}
		for _, item := range items {
			w.Undecodable = append(w.Undecodable, audit.Undecodable{SHA256: [32]byte{item}, Body: []byte{item}})
		}
		return w
	}
	windows := []audit.ReadWindow{window(1, 'b', 'c'), window(0, 'a', 'b'), window(2), window(3, 'd')}
	for together := range windows {
		w, err := st.OpenWriter(t.Context(), fmt.Sprintf("https://q%d.example.org", together), owner(strconv.Itoa(together)), now)
		must(t, err)
		items := int32(0)
		for group := range slices.Chunk(windows, together+1) {
			committed, err := w.CommitWindows(t.Context(), attribution.NewBatch(group...))
			must(t, err)
			items += committed.NewItems
		}
		if items != 4 {
			t.Errorf("%d windows together: %d items are new", together+1, items)
		}
		found, err := st.Reader(w.Portal).Verify(t.Context(), ignore)
		must(t, err)
		if !found.Sound() {
			t.Errorf("%d windows together: %+v", together+1, found)
		}
		for _, span := range []struct{ from, to, held int }{{0, 1, 2}, {1, 2, 2}, {2, 3, 0}, {3, 4, 1}, {0, 4, 4}} {
			held, _, err := w.CountHeld(t.Context(), audit.Span{From: hour(span.from), To: hour(span.to)})
			must(t, err)
			if held != span.held {
				t.Errorf("%d windows together: %d rows are held for %d to %d, not %d", together+1, held, span.from, span.to, span.held)
			}
			facts, err := st.Reader(w.Portal).ActivityFacts(t.Context(), audit.Window{From: hour(span.from), To: hour(span.to), Zone: time.UTC}, nil)
			must(t, err)
			want := int64(span.held)
			if span.to == 1 {
				want-- // what lies at the end of a report's window is in the next one
			}
			if facts.Events.Quarantined != want {
				t.Errorf("%d windows together: a report of %d to %d tells of %d items, not %d", together+1, span.from, span.to, facts.Events.Quarantined, want)
			}
		}
		w.Close()
	}
}
