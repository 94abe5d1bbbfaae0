package ingest

import (
	"context"
	"fmt"
	"time"

	"roompulse/internal/audit"
)

const (
	// recent is the time that every run checks for late events.
	recent = 48 * time.Hour
	// checkRows is how many rows are checked at once: a span that has grown
	// costs halving requests, one that has not costs two, whatever its size.
	checkRows = 20_000
)

// Late events are looked for, not re-read for. The portal writes through a
// queue, and lateness has no bound. But rows are only added: a span of which N
// rows are held is unchanged if the portal has no row number N and row N-1 is
// one that is held.

// checkRecent checks what every run does: the recent past, from the newest
// event held on at least, since that is where a restored portal shows.
func (s *Syncer) checkRecent(ctx context.Context) error {
	newest, err := s.sink.NewestEvent(ctx)
	if err != nil {
		return err
	}
	since := s.until.Add(-recent)
	if !newest.IsZero() {
		since = audit.Earlier(since, newest)
	}
	return s.checkSince(ctx, since)
}

// checkAll checks once a day everything, and on every run what --since names.
func (s *Syncer) checkAll(ctx context.Context) error {
	if !s.opts.Since.IsZero() {
		return s.checkSince(ctx, s.opts.Since)
	}
	if !s.isDue(audit.TaskCheck) {
		return nil
	}
	if err := s.checkSince(ctx, oldest); err != nil {
		return err
	}
	return s.finishTask(ctx, audit.TaskCheck, s.until)
}

func (s *Syncer) checkSince(ctx context.Context, since time.Time) error {
	s.tell("late events")
	spans, err := s.sink.CheckSpans(ctx, audit.Later(since, s.bottom), s.until, checkRows)
	if err != nil {
		return err
	}
	return parallel(ctx, s.opts.Parallel, spans, func(ctx context.Context, span audit.Span, put putFunc) error {
		if span.From = audit.Later(span.From, s.bottom); !span.From.Before(span.To) {
			return nil
		}
		return s.check(ctx, span, put)
	}, inTurn)
}

func (s *Syncer) check(ctx context.Context, span audit.Span, put putFunc) error {
	var held int
	var checkedAt time.Time
	err := put(func(ctx context.Context) (err error) {
		held, checkedAt, err = s.sink.CountHeld(ctx, span)
		return err
	})
	if err != nil {
		return err
	}
	grown, err := s.hasGrown(ctx, span, held, put)
	if err != nil {
		return err
	}
	if !grown {
		return put(func(ctx context.Context) error { return s.sink.SetChecked(ctx, span, s.until) })
	}
	middle := wholeSecond(span.From.Add(span.To.Sub(span.From) / 2))
	if held > windowRows && middle.After(span.From) {
		if err := s.check(ctx, audit.Span{From: span.From, To: middle}, put); err != nil {
			return err
		}
		return s.check(ctx, audit.Span{From: middle, To: span.To}, put)
	}
	return s.readWindow(ctx, planned{Span: span}, func(read audit.ReadWindow) error {
		return put(func(ctx context.Context) error { return s.commitLate(ctx, read, checkedAt) })
	})
}

// hasGrown asks whether the portal has more rows in the span than are held.
func (s *Syncer) hasGrown(ctx context.Context, span audit.Span, held int, put putFunc) (bool, error) {
	page, err := s.events(ctx, span, held, 1)
	if err != nil || page.Rows() > 0 || held == 0 {
		return page.Rows() > 0, err
	}
	page, err = s.events(ctx, span, held-1, 1)
	if err != nil {
		return false, err
	}
	if page.Rows() == 0 {
		return false, fmt.Errorf("%w: %s to %s had %d events", audit.ErrRestored, span.From.Format(time.RFC3339), span.To.Format(time.RFC3339), held)
	}
	if len(page.Events) == 0 { // an item that is in quarantine, or would go there
		return false, nil
	}
	var known bool
	err = put(func(ctx context.Context) (err error) {
		known, err = s.sink.Holds(ctx, page.Events[0])
		return err
	})
	return !known, err
}

// commitLate stores a span that had been complete and has grown since it was
// last checked.
func (s *Syncer) commitLate(ctx context.Context, read audit.ReadWindow, checkedAt time.Time) error {
	batch, err := s.judge(ctx, read)
	if err != nil {
		return err
	}
	batch.Late = true
	committed, err := s.commit(ctx, batch)
	if err != nil {
		return err
	}
	s.result.EventsLate += committed.NewEvents
	if committed.NewEvents > 0 {
		s.result.MaxLate = max(s.result.MaxLate, checkedAt.Sub(committed.OldestNew))
	}
	return nil
}
