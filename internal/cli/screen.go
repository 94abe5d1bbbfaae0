package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"

	"roompulse/internal/ingest"
)

// screen is stderr. On a terminal its last line shows how far a sync is, and
// what is written goes above it.
type screen struct {
	io.Writer
	terminal *os.File // nil if it is none

	mu    sync.Mutex
	bar   *progressbar.ProgressBar // nil while nothing is shown
	total int64                    // what the bar counts to, 0 if it only turns
	hush  context.CancelFunc       // ends the lines of a log, nil if there are none
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

// show sets the last line: with a bar, the rate and the time left if it is
// known about how many there are in total.
func (s *screen) show(text string, events, total int64) {
	if s.terminal == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar == nil || total > 0 && s.total != total {
		if s.bar != nil {
			_ = s.bar.Finish() // or it would go on turning
		}
		s.bar, s.total = newBar(s.Writer, total), total
	}
	// A line that wraps could not be wiped. Around the text come a spinner and the time: "⠋ ... [1h23m45s]",
	// or a bar, the rate and two times: " 12% |      | (1234 events/s) [1h23m45s:2h34m56s]".
	around := 14
	if s.total > 0 {
		around = 64
	}
	if width := terminalWidth(s.terminal); width > 0 {
		text = text[:min(len(text), max(0, width-around))]
	}
	s.bar.Describe(text)
	if total > 0 {
		events = min(events, total-1) // at the total it would end, and the total is a guess
		_ = s.bar.Set64(events)
	} else {
		_ = s.bar.Add(0) // draws it
	}
}

func newBar(w io.Writer, total int64) *progressbar.ProgressBar {
	options := []progressbar.Option{
		progressbar.OptionSetWriter(w), progressbar.OptionSpinnerType(14), progressbar.OptionSetElapsedTime(true),
		progressbar.OptionClearOnFinish(),
	}
	if total == 0 {
		return progressbar.NewOptions64(-1, options...)
	}
	return progressbar.NewOptions64(total, append(options, progressbar.OptionSetWidth(12), progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("events"), progressbar.OptionSetPredictTime(true))...)
}

// done wipes the last line.
func (s *screen) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hush != nil {
		s.hush()
	}
	if s.bar != nil {
		_ = s.bar.Finish()
		s.bar = nil
	}
}

// progress returns what tells of a sync until it is done: on a terminal its last
// line, else lines in the log.
func (s *screen) progress(ctx context.Context, log *slog.Logger) func(ingest.Progress) {
	if s.terminal == nil {
		return s.logProgress(ctx, log)
	}
	return func(at ingest.Progress) {
		switch {
		case at.Task != "events" || at.Reached.IsZero():
			s.show("reading "+at.Task, 0, 0)
		case at.Total == 0:
			s.show(fmt.Sprintf("back to %s: %d events (Ctrl-C is safe)", at.Reached.Format(time.DateOnly), at.Events), 0, 0)
		default:
			s.show("back to "+at.Reached.Format(time.DateOnly)+" (Ctrl-C is safe)", at.Events, at.Total)
		}
	}
}

// logProgress writes a line when a sync turns out to take longer, and then one a
// minute, also while nothing comes from the portal.
func (s *screen) logProgress(ctx context.Context, log *slog.Logger) func(ingest.Progress) {
	const first, later = 10 * time.Second, time.Minute
	var latest atomic.Pointer[ingest.Progress]
	ctx, s.hush = context.WithCancel(ctx)
	go func() {
		for wait := first; ; wait = later {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			if at := latest.Load(); at != nil {
				log.InfoContext(ctx, "sync goes on; it may be stopped at any time", slog.Int("run", int(at.Run)), slog.String("reading", at.Task),
					slog.Int64("events", at.Events), slog.Int64("of_about", at.Total), slog.Time("back_to", at.Reached))
			}
		}
	}()
	return func(at ingest.Progress) { latest.Store(&at) }
}
