package ingest_test

import (
	"context"
	"net/http/httptest"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"roompulse/internal/audit"
	"roompulse/internal/demoportal"
	"roompulse/internal/demoportal/worldgen"
	"roompulse/internal/docspace"
	"roompulse/internal/ingest"
	"roompulse/internal/store"
	"roompulse/internal/testkit/pgtest"
)

// BenchmarkBackfill syncs a portal of 1,000,000 events over a line of 20 ms into an empty warehouse, lists and logs of
// rooms included, without limits. Sync runs in a process of its own, whose time of processors and peak of memory are told.
//
// Two figures compare it with asking one after another, each request as long as a full page
// takes alone, from the question to the decoded events: all the requests that it sent, and only the 10,000 pages
// that hold the events. Neither has the time in which the database stores what was read.
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
		url := pgtest.New(b)
		cmd := syncTask{Host: server.URL, Database: url, Owner: "owner", Now: now, Parallel: 20}.command(b)
		begin := time.Now()
		status, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		all := time.Since(begin)
		requests := requestsOf(b, url)
		b.ReportMetric(events/all.Seconds(), "events/s")
		b.ReportMetric(requests/(events/100), "requests/page")
		b.ReportMetric(requests*page.Seconds()/all.Seconds(), "times-requests-in-turn")
		b.ReportMetric(events/100*page.Seconds()/all.Seconds(), "times-pages-in-turn")
		b.ReportMetric((cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), "cpu-s")
		if found := peakMemory.FindSubmatch(status); found != nil { // only Linux has it
			peak, err := strconv.ParseFloat(string(found[1]), 64)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(peak/1024, "peak-MiB")
		}
	}
}

var peakMemory = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// requestsOf is how many requests the only run of sync has sent.
func requestsOf(b *testing.B, url string) (requests float64) {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(b.Context()) //nolint:errcheck // only a benchmark's
	if err := conn.QueryRow(b.Context(), "SELECT requests FROM sync_run WHERE outcome = 'done'").Scan(&requests); err != nil {
		b.Fatal(err)
	}
	return requests
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
