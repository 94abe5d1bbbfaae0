package ingest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
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
// Three figures compare it with asking one after another, each request as long as a full page
// takes alone, from the question to the decoded events: the pages of the audit trail that it asked for, with the time from the
// first of them until all events are stored and counted; all the requests that it sent, and only the 10,000 pages that hold
// the events, with the time of the whole run. None has the time in which the database would store what was read.
func BenchmarkBackfill(b *testing.B) {
	const events = 1_000_000
	now := end.Add(time.Hour)
	portal := demoportal.New(worldgen.New(worldgen.Config{Seed: 1, Events: events, Rooms: 300, People: 1000, End: end}),
		demoportal.Options{Now: func() time.Time { return now }})
	portal.SetFaults(func(f *demoportal.Faults) { f.Latency = 20 * time.Millisecond })
	var pages atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/audit/events/filter") {
			pages.Add(1)
		}
		portal.ServeHTTP(w, r)
	}))
	defer server.Close()
	client, err := docspace.New(docspace.Config{Host: server.URL, Key: demoportal.DefaultKey})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		page := pageAlone(b, client)
		pages.Store(0)
		url := pgtest.New(b)
		cmd := syncTask{Host: server.URL, Database: url, Owner: "owner", Now: now, Parallel: 20}.command(b)
		begin := time.Now()
		status, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		all := time.Since(begin)
		requests := requestsOf(b, url)
		stored := number(b, status, storedWithin)
		b.ReportMetric(stored, "s-until-events-stored")
		b.ReportMetric(float64(pages.Load())*page.Seconds()/stored, "times-its-pages-in-turn")
		b.ReportMetric(events/all.Seconds(), "events/s")
		b.ReportMetric(requests/(events/100), "requests/page")
		b.ReportMetric(requests*page.Seconds()/all.Seconds(), "times-requests-in-turn")
		b.ReportMetric(events/100*page.Seconds()/all.Seconds(), "times-pages-in-turn")
		b.ReportMetric((cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), "cpu-s")
		if peakMemory.Match(status) { // only Linux has it
			b.ReportMetric(number(b, status, peakMemory)/1024, "peak-MiB")
		}
	}
}

var (
	peakMemory   = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)
	storedWithin = regexp.MustCompile(`events stored within (\S+) s`)
)

// number is what a process told.
func number(b *testing.B, told []byte, what *regexp.Regexp) float64 {
	b.Helper()
	found := what.FindSubmatch(told)
	if found == nil {
		b.Fatalf("no %v in %q", what, told)
	}
	n, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

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
