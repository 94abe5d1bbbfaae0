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

// TestPace: a rate and the time left are told when they mean something, by what was read since the bar began.
func TestPace(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		done, left int64
		took       time.Duration
		want       string
	}{
		"just begun":         {done: 2000, left: 90_000, took: 20 * time.Millisecond},
		"nothing came":       {left: 90_000, took: time.Minute},
		"under way":          {done: 30_000, left: 90_000, took: 30 * time.Second, want: ", 1000 events/s, 1m30s left"},
		"more than expected": {done: 30_000, left: -5, took: 30 * time.Second, want: ", 1000 events/s, 0s left"},
	} {
		if got := strings.Join(pace(test.done, test.left, test.took), ""); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// TestFit: what there is no room for is left out, the least of it first.
func TestFit(t *testing.T) {
	t.Parallel()
	words := []string{", 1000 events/s", ", 2h left", " (Ctrl-C is safe)"}
	for width, want := range map[int]string{
		-5: "", 4: "back", 18: "back to 2026-03-01", 33: "back to 2026-03-01, 1000 events/s",
		58: "back to 2026-03-01, 1000 events/s, 2h left", 59: "back to 2026-03-01, 1000 events/s, 2h left (Ctrl-C is safe)",
	} {
		if got := fit("back to 2026-03-01", words, width); got != want {
			t.Errorf("in %d columns: %q, want %q", width, got, want)
		}
	}
}
