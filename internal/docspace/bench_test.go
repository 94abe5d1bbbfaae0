package docspace

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"runtime"
	"testing"
	"time"

	"roompulse/internal/demoportal"
)

func BenchmarkDecodeEvent(b *testing.B) {
	var env envelope
	var items []json.RawMessage
	if err := json.Unmarshal(example(b, "audit-events.1-page.json"), &env); err != nil {
		b.Fatal(err)
	}
	if err := json.Unmarshal(env.Response, &items); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := decodeEvent(items[0]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEvents reads pages of a demo portal, from the bytes of the answer to
// the events.
func BenchmarkEvents(b *testing.B) {
	const size = 100
	var pages [][]byte
	portal := portalTransport(portalOf(newWorld(), demoportal.Options{}))
	_, err := readTrail(b.Context(), newClient(b, Config{
		Key: demoportal.DefaultKey,
		Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
			resp, err := portal.RoundTrip(r)
			if err != nil {
				return nil, err
			}
			body, err := io.ReadAll(resp.Body)
			pages = append(pages, body)
			resp.Body = io.NopCloser(bytes.NewReader(body))
			return resp, err
		}),
	}))
	if err != nil || len(pages) < 2 {
		b.Fatalf("%d pages, %v", len(pages), err)
	}
	pages = pages[:len(pages)-1] // the last one is not full

	next := 0
	c := newClient(b, Config{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
		body := io.NopCloser(bytes.NewReader(pages[next%len(pages)]))
		next++
		return &http.Response{StatusCode: http.StatusOK, Body: body, Request: r}, nil
	})})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		p, err := c.Events(b.Context(), time.Time{}, time.Time{}, 0, size)
		if err != nil || len(p.Events) != size {
			b.Fatalf("%d events, %v", len(p.Events), err)
		}
	}
	runtime.ReadMemStats(&after)
	events := float64(b.N * size)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/events, "ns/event")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/events, "B/event")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/events, "allocs/event")
}
