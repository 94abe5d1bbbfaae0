package export_test

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"roompulse/internal/audit"
	"roompulse/internal/export"
)

// BenchmarkExport writes all events of a portal, 100,000 or as many as
// ROOMPULSE_BENCH_EVENTS says, and tells how much of the heap is in use at most.
func BenchmarkExport(b *testing.B) {
	events := 100_000
	if text := os.Getenv("ROOMPULSE_BENCH_EVENTS"); text != "" {
		var err error
		if events, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	w := newWarehouse(b, events)
	window := audit.Window{From: begin, To: begin.AddDate(0, 0, 21), Zone: time.UTC}
	for _, name := range export.FormatNames() {
		b.Run(fmt.Sprintf("%s/events=%d", name, events), func(b *testing.B) {
			f, err := export.ParseFormat(name, "")
			must(b, err)
			var written counter
			for b.Loop() {
				runtime.GC()
				stop := watchHeap()
				_, err := export.Run(b.Context(), w.reader, "events", window, f, &written)
				must(b, err)
				b.ReportMetric(float64(stop())/(1<<20), "MiB-heap")
			}
			b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(written)/float64(events)/float64(b.N), "bytes/event")
		})
	}
}

// counter counts what is written.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return io.Discard.Write(b)
}

// watchHeap looks at the heap until stop is called, which returns the most that it saw.
func watchHeap() (stop func() uint64) {
	var most atomic.Uint64
	done, seen := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(seen)
		var stats runtime.MemStats
		for {
			runtime.ReadMemStats(&stats)
			most.Store(max(most.Load(), stats.HeapInuse))
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() uint64 {
		close(done)
		<-seen
		return most.Load()
	}
}
