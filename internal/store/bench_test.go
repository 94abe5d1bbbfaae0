package store_test

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"roompulse/internal/attribution"
	"roompulse/internal/audit"
	"roompulse/internal/demoportal"
	"roompulse/internal/demoportal/worldgen"
	"roompulse/internal/docspace"
	"roompulse/internal/store"
	"roompulse/internal/testkit/pgtest"
)

// BenchmarkLoad commits windows that are in memory already, dimensions and
// rollups included, and for comparison in the same run copies the same rows into a
// bare table without indexes.
func BenchmarkLoad(b *testing.B) {
	const events = 200_000
	all := readEvents(b, events)
	var load, bare time.Duration
	for b.Loop() {
		url := pgtest.New(b)
		load += loadWindows(b, url, all)
		bare += copyBare(b, url, all)
	}
	b.ReportMetric(float64(b.N*len(all))/load.Seconds(), "events/s")
	b.ReportMetric(bare.Seconds()/load.Seconds(), "of-bare-copy")
}

// readEvents returns the events of an invented portal, oldest first.
func readEvents(b *testing.B, n int) []*audit.Event {
	b.Helper()
	portal := worldgen.New(worldgen.Config{Seed: 1, Events: n, Rooms: 200, People: 500, End: now})
	server := httptest.NewServer(demoportal.New(portal, demoportal.Options{Now: func() time.Time { return now }}))
	defer server.Close()
	client, err := docspace.New(docspace.Config{Host: server.URL, Key: demoportal.DefaultKey})
	if err != nil {
		b.Fatal(err)
	}
	var all []*audit.Event
	for {
		page, err := client.Events(b.Context(), now.AddDate(-5, 0, 0), now, len(all), 100)
		if err != nil {
			b.Fatal(err)
		}
		for i := range page.Events {
			all = append(all, &page.Events[i])
		}
		if page.Rows() < 100 {
			slices.Reverse(all)
			return all
		}
	}
}

func loadWindows(b *testing.B, url string, all []*audit.Event) time.Duration {
	b.Helper()
	st, err := store.Open(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	w, err := st.OpenWriter(b.Context(), "https://bench.example.org", owner("o"), now)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	if _, err := w.StartRun(b.Context(), "bench", now, now); err != nil {
		b.Fatal(err)
	}
	rooms := attribution.NewRooms(nil)
	var windows []audit.ReadWindow // newest first
	to := now
	for _, events := range slices.Backward(slices.Collect(slices.Chunk(all, 2000))) {
		from := events[0].At
		windows = append(windows, audit.ReadWindow{Span: audit.Span{From: from, To: to}, Rows: len(events), ReadAt: now, Events: events})
		to = from
	}
	begin := time.Now()
	for together := range slices.Chunk(windows, 10) { // as sync does
		batch := attribution.NewBatch(together...)
		batch.Judge(attribution.Evidence{}, rooms)
		if _, err := w.CommitWindows(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(begin)
}

func copyBare(b *testing.B, url string, all []*audit.Event) time.Duration {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(b.Context()) //nolint:errcheck // only a benchmark's
	_, err = conn.Exec(b.Context(), `
		CREATE TABLE bare (
			id bigint, at timestamptz, actor text, actor_name text, action integer, description text, ip text, country text,
			city text, browser text, platform text, page text, target text, context text
		)`)
	if err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	for window := range slices.Chunk(all, 2000) {
		_, err := conn.CopyFrom(b.Context(), pgx.Identifier{"bare"},
			[]string{"id", "at", "actor", "actor_name", "action", "description", "ip", "country", "city", "browser", "platform", "page", "target", "context"},
			pgx.CopyFromSlice(len(window), func(i int) ([]any, error) {
				e := window[i]
				from := e.Client.Origin()
				return []any{
					e.ID, e.At, e.ActorID, e.ActorName, e.Kind.ActionID, e.Text, from.IP, from.Country, from.City,
					from.Browser, from.Platform, e.Page, strings.Join(e.Target, ","), e.Context,
				}, nil
			}))
		if err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(begin)
}
