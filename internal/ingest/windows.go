package ingest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"math"
	"time"

	"golang.org/x/sync/errgroup"

	"roompulse/internal/attribution"
	"roompulse/internal/audit"
)

// windowRows is how many rows a window has at most, ties at its start aside.
const windowRows = 2000

// commitWindows is how many windows are committed in one transaction at most: those that wait while
// others are committed. Ten share most rows of the rollups and what a statement costs by itself; twenty are
// no faster and take ten megabytes more.
const commitWindows = 10

// cutRow is the row at whose second a window begins. The few rows that are left
// to windowRows are for others of that second: a window that fills its last page needs one more to end.
const cutRow = windowRows - 20

// tolerance is by how much a listed date may lie outside the window that was
// asked for: in the repeated hour of a clock change portals list events late,
// mostly by an hour, nowhere by more.
const tolerance = time.Hour

// ErrNoAuditOption says that the portal ignores filters, because its plan has no
// audit option or somebody has switched the audit trail off.
var ErrNoAuditOption = fmt.Errorf("%w the audit trail: it ignores filters and lists its newest events whatever is asked; "+
	"the plan needs the audit option, and Settings > Security > Audit trail must be on", audit.ErrRefused)

// planned is a window to read.
type planned struct {
	audit.Span
	// before is the newest event before the window, nil if it has not been asked for.
	before *audit.Event
}

// readWindows reads the spans and commits them.
func (s *Syncer) readWindows(ctx context.Context, missing []audit.Span) error {
	s.tell("events")
	group, groupCtx := errgroup.WithContext(ctx)
	windows := make(chan planned)
	done := make(chan audit.ReadWindow)
	group.Go(func() error {
		defer close(windows)
		return s.plan(groupCtx, missing, windows, func(span audit.Span) {
			group.Go(func() error { return s.estimate(groupCtx, span) })
		})
	})
	readers, readersCtx := errgroup.WithContext(groupCtx)
	for range s.opts.Parallel {
		readers.Go(func() error { return s.readPlanned(readersCtx, windows, done) })
	}
	group.Go(func() error {
		defer close(done)
		return readers.Wait()
	})
	group.Go(func() error {
		for window := range done {
			batch, err := s.judge(groupCtx, append(waiting(done, commitWindows-1), window)...)
			if err != nil {
				return err
			}
			if _, err := s.commit(groupCtx, batch); err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}

// waiting takes what is in the channel without waiting for it, n at most.
func waiting[T any](channel <-chan T, n int) (items []T) {
	for len(items) < n {
		select {
		case item, ok := <-channel:
			if !ok {
				return items
			}
			items = append(items, item)
		default:
			return items
		}
	}
	return items
}

// judge finds the rooms of the windows' events.
func (s *Syncer) judge(ctx context.Context, windows ...audit.ReadWindow) (attribution.Batch, error) {
	batch := attribution.NewBatch(windows...)
	evidence, err := s.sink.Evidence(ctx, batch.Events)
	if err != nil {
		return batch, err
	}
	batch.Judge(evidence, s.rooms)
	return batch, nil
}

func (s *Syncer) commit(ctx context.Context, batch attribution.Batch) (audit.Committed, error) {
	committed, err := s.sink.CommitWindows(ctx, batch)
	if err != nil {
		return committed, err
	}
	for _, w := range batch.Windows {
		switch {
		case w.GapCause != "":
			s.log.WarnContext(ctx, "gap", slog.Time("from", w.From), slog.Time("to", w.To), slog.String("cause", w.GapCause))
		case !batch.Late:
			s.result.Windows++
		}
		s.log.DebugContext(ctx, "window stored", slog.Time("from", w.From), slog.Time("to", w.To), slog.Int("events", len(w.Events)))
		if s.progress.Reached.IsZero() || w.From.Before(s.progress.Reached) {
			s.progress.Reached = w.From
		}
	}
	s.result.EventsListed += int64(len(batch.Events))
	s.result.EventsNew += committed.NewEvents
	s.result.Quarantined += committed.NewItems
	s.tell("events")
	return committed, nil
}

// plan cuts the missing spans, newest first, into windows of about windowRows
// rows. One request a window tells where it begins; no density is guessed.
// It calls large for each span that has more than a window.
func (s *Syncer) plan(ctx context.Context, missing []audit.Span, windows chan<- planned, large func(audit.Span)) error {
	for _, span := range missing {
		for end := span.To; end.After(span.From); {
			window, err := s.planWindow(ctx, span.From, end)
			if err != nil {
				return err
			}
			if end.Equal(span.To) && window.From.After(span.From) {
				large(span)
			}
			select {
			case windows <- window:
			case <-ctx.Done():
				return ctx.Err()
			}
			end = window.From
		}
	}
	return nil
}

// estimate finds out about how many rows a span has that has more than a
// window's, to tell how long it will take. The portal does not count its rows, but
// tells whether it has so many: about twenty questions for a million.
func (s *Syncer) estimate(ctx context.Context, span audit.Span) error {
	least, most := cutRow, math.MaxInt32
	for most-least > least/50 { // exact to two per cent
		middle := min(2*least, least+(most-least)/2)
		page, err := s.events(ctx, span, middle, 1)
		if err != nil {
			return err
		}
		if page.Rows() > 0 {
			least = middle
		} else {
			most = middle
		}
	}
	s.total.Add(int64(most))
	return nil
}

// planWindow returns the window that ends at end. It begins at floor when no
// more than windowRows rows are left.
func (s *Syncer) planWindow(ctx context.Context, floor, end time.Time) (planned, error) {
	window := planned{Span: audit.Span{From: floor, To: end}}
	for {
		for index := cutRow; index > 0; index /= 2 {
			// Of the two rows one is the oldest of the window, the other the newest before it.
			page, err := s.events(ctx, window.Span, index, 2)
			if err != nil || page.Rows() == 0 && index == cutRow {
				return window, err
			}
			if cut := cutAt(page.Events, window.Span); !cut.IsZero() {
				window.From = cut
				if len(page.Events) == 2 && page.Events[1].At.Before(cut) {
					window.before = &page.Events[1]
				}
				return window, nil
			}
		}
		// No row tells where to cut, so time is halved until few enough are left.
		middle := wholeSecond(window.From.Add(end.Sub(window.From) / 2))
		if !middle.After(window.From) {
			return window, nil
		}
		window.From = middle
	}
}

// cutAt is where a window begins that has the newest of the rows as its oldest,
// a second before its end at the latest. It is zero if the rows do not tell:
// items that do not decode have no date, and in the hour that comes twice rows are
// listed later than the window's end.
func cutAt(rows []audit.Event, span audit.Span) time.Time {
	if len(rows) == 0 || !rows[0].At.Before(span.To.Add(time.Second)) {
		return time.Time{}
	}
	return audit.Later(audit.Earlier(wholeSecond(rows[0].At), span.To.Add(-time.Second)), span.From)
}

func (s *Syncer) readPlanned(ctx context.Context, windows <-chan planned, done chan<- audit.ReadWindow) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case window, ok := <-windows:
			if !ok {
				return nil
			}
			err := s.readWindow(ctx, window, func(read audit.ReadWindow) error {
				select {
				case done <- read:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
			if err != nil {
				return err
			}
		}
	}
}

// readWindow reads a window and sends it on; one that will not close is cut in two.
func (s *Syncer) readWindow(ctx context.Context, window planned, send func(audit.ReadWindow) error) error {
	passes, closed, err := s.collect(ctx, window.Span)
	if err != nil {
		return err
	}
	if closed {
		if err := s.correctDates(ctx, window, passes.events); err != nil {
			return err
		}
		return send(passes.result())
	}
	middle := wholeSecond(window.From.Add(window.To.Sub(window.From) / 2))
	if middle.After(window.From) {
		if err := s.readWindow(ctx, planned{Span: audit.Span{From: middle, To: window.To}}, send); err != nil {
			return err
		}
		return s.readWindow(ctx, planned{audit.Span{From: window.From, To: middle}, window.before}, send)
	}
	read := passes.result()
	read.GapCause = fmt.Sprintf("the portal says there are %d rows and lists only %d of them", passes.rows, passes.collected())
	return send(read)
}

// collect reads all rows of a span; closed is false if that could not be proved.
func (s *Syncer) collect(ctx context.Context, span audit.Span) (p *passes, closed bool, err error) {
	p = &passes{
		ask:  func(start, size int) (audit.EventPage, error) { return s.events(ctx, span, start, size) },
		span: span, events: map[int64]*audit.Event{}, items: map[[sha256.Size]byte]audit.Undecodable{},
	}
	closed, err = p.run()
	return p, closed, err
}

// events asks for rows of the closed span and makes sure that the portal has
// filtered them.
func (s *Syncer) events(ctx context.Context, span audit.Span, start, size int) (audit.EventPage, error) {
	page, err := s.source.Events(ctx, wholeSecond(span.From), span.To, start, size)
	if err != nil {
		return page, err
	}
	if page.Rows() > size {
		return page, ErrNoAuditOption
	}
	// What was read at a time that has not come would not be checked until it comes.
	page.PortalTime = audit.Earlier(page.PortalTime, s.opts.Now().UTC())
	for _, e := range page.Events {
		if e.At.Before(span.From.Add(-tolerance)) || e.At.After(span.To.Add(tolerance)) {
			return page, fmt.Errorf("%w (event %d of %s came in answer to %s to %s)", ErrNoAuditOption, e.ID,
				e.At.Format(time.RFC3339), span.From.Format(time.RFC3339), span.To.Format(time.RFC3339))
		}
	}
	return page, nil
}

// wholeSecond cuts a time to the second: the portal takes no fractions.
func wholeSecond(t time.Time) time.Time { return t.Truncate(time.Second) }
