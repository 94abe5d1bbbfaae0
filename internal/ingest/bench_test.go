package ingest_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"roompulse/internal/audit"
	"roompulse/internal/demoportal"
	"roompulse/internal/demoportal/worldgen"
	"roompulse/internal/docspace"
	"roompulse/internal/ingest"
	"roompulse/internal/store"
	"roompulse/internal/testkit/pgtest"
)

// BenchmarkBackfill syncs a portal of 1,000,000 events over a line of 20 ms into an empty warehouse, lists and logs of
// rooms included. Two figures compare it with the same done one after another, each request as long as a full page
// takes alone, from the question to the decoded events: all its requests, and only the 10,000 pages that hold
// the events. Neither has the time in which the database stores them.
func BenchmarkBackfill(b *testing.B) {
	const events = 1_000_000
	now := end.Add(time.Hour)
	portal := demoportal.New(worldgen.New(worldgen.Config{Seed: 1, Events: events, Rooms: 300, People: 1000, End: end}),
		demoportal.Options{Now: func() time.Time { return now }})
	portal.SetFaults(func(f *demoportal.Faults) { f.Latency = 20 * time.Millisecond })
	server := httptest.NewServer(portal)
	defer server.Close()
	client, err := docspace.New(docspace.Config{Host: server.URL, Key: demoportal.DefaultKey})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		page := pageAlone(b, client)
		var eventsIn time.Duration
		begin := time.Now()
		result := syncOnce(b, client, openStore(b), now, func(p ingest.Progress) {
			if p.Task == "events" {
				eventsIn = time.Since(begin)
			}
		})
		all := time.Since(begin)
		b.ReportMetric(eventsIn.Seconds(), "s-until-events-are-in")
		b.ReportMetric(events/all.Seconds(), "events/s")
		b.ReportMetric(float64(result.Requests)/(events/100), "requests/page")
		b.ReportMetric(float64(result.Requests)*page.Seconds()/all.Seconds(), "times-requests-in-turn")
		b.ReportMetric(events/100*page.Seconds()/all.Seconds(), "times-pages-in-turn")
	}
}

// pageAlone is how long a full page takes with nothing else going on.
func pageAlone(b *testing.B, client *docspace.Client) time.Duration {
	b.Helper()
	const pages = 200
	begin := time.Now()
	for i := range pages {
		page, err := client.Events(b.Context(), end.AddDate(-2, 0, 0), end, i*100, 100)
		if err != nil || page.Rows() != 100 {
			b.Fatalf("%d rows, %v", page.Rows(), err)
		}
	}
	return time.Since(begin) / pages
}

func openStore(b *testing.B) *store.Store {
	b.Helper()
	st, err := store.Open(b.Context(), pgtest.New(b))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(st.Close)
	return st
}

func syncOnce(b *testing.B, client *docspace.Client, st *store.Store, now time.Time, progress func(ingest.Progress)) audit.RunResult {
	b.Helper()
	w, err := st.OpenWriter(b.Context(), client.BaseURL(), func(context.Context) (string, error) { return "owner", nil }, now)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	syncer := ingest.New(client, w, ingest.Options{
		Version: "bench", Parallel: 20, Logger: discard, Now: func() time.Time { return now }, Progress: progress,
	})
	result, err := syncer.Run(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return result
}

// BenchmarkIdle syncs a portal of 1,000 rooms that has nothing new, with some
// 20,000 events in the last 48 hours.
func BenchmarkIdle(b *testing.B) {
	now := end.Add(time.Hour)
	portal := demoportal.New(worldgen.New(worldgen.Config{Seed: 1, Events: 50_000, Rooms: 1000, People: 500, Days: 5, End: end}),
		demoportal.Options{Now: func() time.Time { return now }})
	server := httptest.NewServer(portal)
	defer server.Close()
	client, err := docspace.New(docspace.Config{Host: server.URL, Key: demoportal.DefaultKey})
	if err != nil {
		b.Fatal(err)
	}
	st := openStore(b)
	syncOnce(b, client, st, now, nil)
	now = now.Add(15 * time.Minute)
	syncOnce(b, client, st, now, nil) // what came in the first run's settle time
	for b.Loop() {
		now = now.Add(15 * time.Minute)
		result := syncOnce(b, client, st, now, nil)
		if result.EventsNew > 0 {
			b.Fatalf("there was something new: %+v", result)
		}
		b.ReportMetric(float64(result.Requests), "requests")
	}
}
