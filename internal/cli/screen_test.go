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

// TestProgressWithoutTerminal: a long sync tells the log how far it is, even
// when it waits for the portal, until it is done; a short one tells nothing.
func TestProgressWithoutTerminal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		s := newScreen(&stderr)
		written := func() string {
			s.mu.Lock()
			defer s.mu.Unlock()
			return stderr.String()
		}
		tell := s.progress(t.Context(), slog.New(slog.NewTextHandler(s, nil)))
		tell(ingest.Progress{Run: 7, Task: "people"})
		time.Sleep(9 * time.Second)
		if lines := written(); lines != "" {
			t.Fatalf("in 9 seconds: %s", lines)
		}
		time.Sleep(2 * time.Second)
		tell(ingest.Progress{Run: 7, Task: "events", Events: 34_000, Total: 90_000, Reached: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)})
		time.Sleep(2 * time.Minute)
		s.done()
		time.Sleep(time.Hour)
		lines := strings.Split(strings.TrimSpace(written()), "\n")
		if len(lines) != 3 || !strings.Contains(lines[0], "run=7 reading=people events=0") ||
			!strings.Contains(lines[1], "run=7 reading=events events=34000 of_about=90000 back_to=2026-03-01T00:00:00.000Z") {
			t.Errorf("got %q", lines)
		}
	})
}
