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
	begun time.Time                // when it began to count
	from  int64                    // what it began with
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

// show sets the last line: a text, with the words beside it if there is room for them, and, if it is known
// about how many events there are in total, a bar, the rate and the time left.
func (s *screen) show(text, beside string, events, total int64) {
	if s.terminal == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.bar != nil && s.total > 0 && total > 0:
		s.bar.ChangeMax64(total)
	case s.bar == nil || total > 0:
		if s.bar != nil {
			_ = s.bar.Finish() // or it would go on turning
		}
		s.bar = newBar(s.Writer, total)
		s.begun, s.from = time.Now(), events
	}
	s.total = max(s.total, total)
	// A line that wraps could not be wiped. Around the text come a spinner and the time, "⠋ ... [1h23m45s]", or
	// a bar as well, " 12% |      | [1h23m45s]".
	around, words := 14, []string{beside}
	if s.total > 0 {
		around, words = 34, append(pace(events-s.from, total-events, time.Since(s.begun)), beside)
	}
	if width := terminalWidth(s.terminal); width > 0 {
		text = fit(text, words, width-around)
	}
	s.bar.Describe(text)
	if total > 0 {
		events = min(events, total-1) // at the total it would end, and the total is a guess
		_ = s.bar.Set64(events)
	} else {
		_ = s.bar.Add(0) // draws it
	}
}

// pace tells the rate of events and the time that is left. There is none for the first seconds: requests
// come back in bursts, and what a run began with took no time.
func pace(done, left int64, took time.Duration) []string {
	const soonest = 5 * time.Second
	if took < soonest || done <= 0 {
		return nil
	}
	rate := float64(done) / took.Seconds()
	eta := time.Duration(float64(max(left, 0)) / rate * float64(time.Second))
	return []string{fmt.Sprintf(", %.0f events/s", rate), fmt.Sprintf(", %s left", eta.Round(time.Second))}
}

// fit returns as much of the text as there is room for, with those of the words that fit behind it.
func fit(text string, words []string, width int) string {
	text = text[:min(len(text), max(0, width))]
	for _, word := range words {
		if len(text)+len(word) > width {
			break
		}
		text += word
	}
	return text
}

func newBar(w io.Writer, total int64) *progressbar.ProgressBar {
	options := []progressbar.Option{
		progressbar.OptionSetWriter(w), progressbar.OptionSpinnerType(14), progressbar.OptionSetElapsedTime(true),
		progressbar.OptionSetPredictTime(false), progressbar.OptionClearOnFinish(),
	}
	if total == 0 {
		return progressbar.NewOptions64(-1, options...)
	}
	return progressbar.NewOptions64(total, append(options, progressbar.OptionSetWidth(12))...)
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
		s.bar, s.total = nil, 0
	}
}

// progress returns what tells of a sync until it is done: on a terminal its last
// line, else lines in the log.
func (s *screen) progress(ctx context.Context, log *slog.Logger) func(ingest.Progress) {
	if s.terminal == nil {
		return s.logProgress(ctx, log)
	}
	const safe = " (Ctrl-C is safe)"
	return func(at ingest.Progress) {
		switch {
		case at.Task != "events" || at.Reached.IsZero():
			s.show("reading "+at.Task, "", 0, 0)
		case at.Total == 0:
			s.show(fmt.Sprintf("back to %s: %d events", at.Reached.Format(time.DateOnly), at.Events), safe, 0, 0)
		default:
			s.show("back to "+at.Reached.Format(time.DateOnly), safe, at.Events, at.Total)
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
