package ingest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"roompulse/internal/audit"
)

// windowRows is how many rows a window has at most, ties at its start aside.
const windowRows = 2000

// pageSizes are the sizes of pages on successive passes over a window. Rows of
// the same second have no order, and a portal may cut them wrongly in the
// same way on every pass; with another size it cuts elsewhere.
var pageSizes = []int{100, 97, 89, 83, 79, 73, 71, 67, 61, 59, 53, 47}

// tolerance is by how much a listed date may lie outside the window that was
// asked for: in the repeated hour of a clock change portals list events an hour late.
const tolerance = time.Hour

var (
	// ErrNoAuditOption: the portal ignores filters, because its plan has no
	// audit option or somebody has switched the audit trail off.
	ErrNoAuditOption = fmt.Errorf("%w the audit trail: it ignores filters and lists its newest events whatever is asked; "+
		"the plan needs the audit option, and Settings > Security > Audit trail must be on", audit.ErrRefused)
	// ErrVanished: the portal does not list events any more that it has listed.
	ErrVanished = errors.New("events that the portal has listed are gone; if it was restored or moved, see `roompulse sync --after-restore`")
)

// windowRead is a window as a reader hands it to the committer.
type windowRead struct {
	audit.ReadWindow
	gapCause string // why it is not complete, empty if it is
}

// plan cuts the missing spans, newest first, into windows of about windowRows
// rows. One request a window tells where it begins; no density is guessed.
func (s *Syncer) plan(ctx context.Context, missing []audit.Span, windows chan<- audit.Span) error {
	for _, span := range missing {
		for end := span.To; end.After(span.From); {
			begin, err := s.windowStart(ctx, span.From, end)
			if err != nil {
				return err
			}
			select {
			case windows <- audit.Span{From: begin, To: end}:
			case <-ctx.Done():
				return ctx.Err()
			}
			end = begin
		}
	}
	return nil
}

// windowStart returns the start of the window that ends at end: floor, when no
// more than windowRows rows are left.
func (s *Syncer) windowStart(ctx context.Context, floor, end time.Time) (time.Time, error) {
	page, err := s.source.Events(ctx, wholeSecond(floor), end, windowRows, 1)
	if err != nil {
		return floor, err
	}
	if err := checkFiltered(page, 1); err != nil {
		return floor, err
	}
	if page.Rows() == 0 {
		return floor, nil
	}
	// An item without a date gives no hint: the shortest window is always right.
	begin := end.Add(-time.Second)
	if len(page.Events) > 0 {
		begin = earlier(begin, wholeSecond(page.Events[0].At))
	}
	return later(begin, floor), nil
}

func (s *Syncer) readPlanned(ctx context.Context, windows <-chan audit.Span, done chan<- windowRead) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case window, ok := <-windows:
			if !ok {
				return nil
			}
			if err := s.readWindow(ctx, window, done); err != nil {
				return err
			}
		}
	}
}

// readWindow reads a window and sends it on; one that will not close is cut in two.
func (s *Syncer) readWindow(ctx context.Context, window audit.Span, done chan<- windowRead) error {
	passes := newPasses(s.source, window)
	closed, err := passes.run(ctx)
	if err != nil {
		return err
	}
	read := windowRead{ReadWindow: passes.result()}
	if !closed {
		half := window.To.Sub(window.From) / 2
		middle := window.From.Add(half).Truncate(time.Second)
		if middle.After(window.From) {
			if err := s.readWindow(ctx, audit.Span{From: middle, To: window.To}, done); err != nil {
				return err
			}
			return s.readWindow(ctx, audit.Span{From: window.From, To: middle}, done)
		}
		read.gapCause = fmt.Sprintf("the portal lists %d rows for these seconds and shows only %d of them", read.Rows, len(passes.events)+len(passes.items))
	}
	select {
	case done <- read:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// passes collects the rows of one window.
//
// The portal adds rows and never removes any. A pass asks for pages one after
// another, and the first page shorter than asked shows how many rows the
// window has at that moment. Rows that were listed are among them; so as soon
// as that many different rows have been collected, over any number of passes,
// they are all. Pages of one window must not be asked in parallel: a row added
// between two of them could hide another.
type passes struct {
	source Source
	window audit.Span
	events map[int64]audit.Event
	items  map[[sha256.Size]byte]audit.Undecodable
	rows   int // by the latest pass
	readAt time.Time
}

func newPasses(source Source, window audit.Span) *passes {
	return &passes{
		source: source, window: window,
		events: map[int64]audit.Event{}, items: map[[sha256.Size]byte]audit.Undecodable{},
	}
}

// run makes passes until all rows are collected; false if they never were.
func (p *passes) run(ctx context.Context) (closed bool, err error) {
	for _, size := range pageSizes {
		if err := p.pass(ctx, size); err != nil {
			return false, err
		}
		collected := len(p.events) + len(p.items)
		if collected > p.rows {
			return false, fmt.Errorf("%w: %d of %s to %s", ErrVanished, collected-p.rows,
				p.window.From.Format(time.RFC3339), p.window.To.Format(time.RFC3339))
		}
		if collected < p.rows {
			continue
		}
		// A portal that has stopped filtering ends any window with a short page.
		page, err := p.page(ctx, p.rows, 1)
		if err != nil {
			return false, err
		}
		if page.Rows() == 0 {
			return true, nil
		}
	}
	return false, nil
}

func (p *passes) pass(ctx context.Context, size int) error {
	p.rows = 0
	for {
		page, err := p.page(ctx, p.rows, size)
		if err != nil {
			return err
		}
		p.rows += page.Rows()
		p.readAt = page.PortalTime
		if page.Rows() < size {
			return nil
		}
	}
}

// page asks for a page and keeps what is on it.
func (p *passes) page(ctx context.Context, start, size int) (audit.EventPage, error) {
	page, err := p.source.Events(ctx, wholeSecond(p.window.From), p.window.To, start, size)
	if err != nil {
		return page, err
	}
	if err := checkFiltered(page, size); err != nil {
		return page, err
	}
	for _, e := range page.Events {
		if e.At.Before(p.window.From.Add(-tolerance)) || e.At.After(p.window.To.Add(tolerance)) {
			return page, fmt.Errorf("%w (event %d of %s came in answer to %s to %s)", ErrNoAuditOption, e.ID,
				e.At.Format(time.RFC3339), p.window.From.Format(time.RFC3339), p.window.To.Format(time.RFC3339))
		}
		p.events[e.ID] = e
	}
	for _, item := range page.Undecodable {
		p.items[item.SHA256] = item
	}
	return page, nil
}

func (p *passes) result() audit.ReadWindow {
	return audit.ReadWindow{
		Span: p.window, Rows: p.rows, ReadAt: p.readAt,
		Events:      slices.SortedFunc(maps.Values(p.events), func(a, b audit.Event) int { return a.At.Compare(b.At) }),
		Undecodable: slices.Collect(maps.Values(p.items)),
	}
}

func checkFiltered(page audit.EventPage, asked int) error {
	if page.Rows() > asked {
		return ErrNoAuditOption
	}
	return nil
}

// wholeSecond cuts a time to the second: the portal takes no fractions.
func wholeSecond(t time.Time) time.Time { return t.Truncate(time.Second) }

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
