package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"roompulse/internal/ingest"
)

// screen is stderr. On a terminal its last line shows how far a sync is, and
// what is written goes above it.
type screen struct {
	io.Writer
	terminal *os.File // nil if it is none

	mu  sync.Mutex
	bar *progressbar.ProgressBar // nil while nothing is shown
}

func newScreen(w io.Writer) *screen {
	s := &screen{Writer: w}
	if f, ok := w.(*os.File); ok && isTerminal(f) {
		s.terminal = f
	}
	return s
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar != nil {
		_ = s.bar.Clear() // what cannot be drawn or wiped is no failure
	}
	return s.Writer.Write(b)
}

// show sets the last line.
func (s *screen) show(text string) {
	if s.terminal == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar == nil {
		s.bar = progressbar.NewOptions64(-1, progressbar.OptionSetWriter(s.Writer), progressbar.OptionSpinnerType(14),
			progressbar.OptionSetElapsedTime(true), progressbar.OptionClearOnFinish())
	}
	// A line that wraps could not be wiped. Around the text come a spinner and the time: "⠋ ... [1h23m45s]".
	const around = 14
	if width := terminalWidth(s.terminal); width > 0 {
		text = text[:min(len(text), max(0, width-around))]
	}
	s.bar.Describe(text)
	_ = s.bar.Add(0) // draws it
}

// done wipes the last line.
func (s *screen) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar != nil {
		_ = s.bar.Finish()
		s.bar = nil
	}
}

// progress returns what tells of a sync: on a terminal its last line, else a
// line a minute in the log. How much there is to read nobody knows: the portal
// does not count its events.
func (s *screen) progress(ctx context.Context, log *slog.Logger) func(ingest.Progress) {
	next := time.Now().Add(time.Minute)
	return func(at ingest.Progress) {
		text := "reading " + at.Task
		if at.Task == "events" && !at.Reached.IsZero() {
			text = fmt.Sprintf("back to %s: %d events (Ctrl-C is safe)", at.Reached.Format(time.DateOnly), at.Events)
		}
		s.show(text)
		if s.terminal == nil && time.Now().After(next) {
			next = time.Now().Add(time.Minute)
			log.InfoContext(ctx, "sync goes on; it may be stopped at any time", slog.String("reading", at.Task),
				slog.Int64("events", at.Events), slog.Time("back_to", at.Reached))
		}
	}
}
