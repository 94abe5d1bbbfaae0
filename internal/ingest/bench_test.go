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

// BenchmarkBackfill reads a portal of 1,000,000 events over a line of 20 ms, by
// sync and, for comparison in the same run, page after page without storing anything.
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
		one := pageAfterPage(b, client, 200) * events / (200 * 100)
		begin := time.Now()
		backfill(b, client, now)
		all := time.Since(begin)
		b.ReportMetric(events/all.Seconds(), "events/s")
		b.ReportMetric(float64(one)/float64(all), "times-sequential")
	}
}

// pageAfterPage is how long n pages take one after another.
func pageAfterPage(b *testing.B, client *docspace.Client, n int) time.Duration {
	b.Helper()
	begin := time.Now()
	for i := range n {
		if _, err := client.Events(b.Context(), end.AddDate(-2, 0, 0), end, i*100, 100); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(begin)
}

func backfill(b *testing.B, client *docspace.Client, now time.Time) {
	b.Helper()
	result := syncOnce(b, client, openStore(b), now)
	b.ReportMetric(float64(result.Requests)/(float64(result.EventsListed)/100), "requests/page")
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

func syncOnce(b *testing.B, client *docspace.Client, st *store.Store, now time.Time) audit.RunResult {
	b.Helper()
	w, err := st.OpenWriter(b.Context(), client.BaseURL(), func(context.Context) (string, error) { return "owner", nil }, now)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	syncer := ingest.New(client, w, ingest.Options{Version: "bench", Parallel: 20, Logger: discard, Now: func() time.Time { return now }})
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
	syncOnce(b, client, st, now)
	now = now.Add(15 * time.Minute)
	syncOnce(b, client, st, now) // what came in the first run's settle time
	for b.Loop() {
		now = now.Add(15 * time.Minute)
		result := syncOnce(b, client, st, now)
		if result.EventsNew > 0 {
			b.Fatalf("there was something new: %+v", result)
		}
		b.ReportMetric(float64(result.Requests), "requests")
	}
}
