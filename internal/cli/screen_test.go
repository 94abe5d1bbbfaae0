package cli

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"roompulse/internal/ingest"
)

// TestProgressWithoutTerminal: a long sync tells the log once a minute how far
// it is, a short one tells nothing.
func TestProgressWithoutTerminal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		s := newScreen(&stderr)
		tell := s.progress(t.Context(), slog.New(slog.NewTextHandler(s, nil)))
		at := ingest.Progress{Run: 7, Task: "events", Total: 90_000, Reached: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
		for range 40 { // four seconds each
			at.Events += 2000
			tell(at)
			if at.Events < 30_000 && stderr.Len() > 0 {
				t.Fatalf("after %d events, in less than a minute: %s", at.Events, &stderr)
			}
			time.Sleep(4 * time.Second)
		}
		s.done()
		if n := strings.Count(stderr.String(), "\n"); n != 2 || !strings.Contains(stderr.String(), "run=7 reading=events events=34000 of_about=90000 back_to=2026-03-01T00:00:00.000Z") {
			t.Errorf("in 160 seconds %d lines: %s", n, &stderr)
		}
	})
}
