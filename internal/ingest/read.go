package ingest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
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

// windowRead is a window as a reader hands it to the committer.
type windowRead struct {
	audit.ReadWindow
	gapCause string // why it is not complete, empty if it is
	late     bool   // it was complete before and has grown
}

// plan cuts the missing spans, newest first, into windows of about windowRows
// rows. One request a window tells where it begins; no density is guessed.
func (s *Syncer) plan(ctx context.Context, missing []audit.Span, windows chan<- planned) error {
	for _, span := range missing {
		for end := span.To; end.After(span.From); {
			window, err := s.planWindow(ctx, span.From, end)
			if err != nil {
				return err
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

// planWindow returns the window that ends at end. It begins at floor when no
// more than windowRows rows are left.
func (s *Syncer) planWindow(ctx context.Context, floor, end time.Time) (planned, error) {
	window := planned{Span: audit.Span{From: floor, To: end}}
	// Of the two rows one is the oldest of the window, the other the newest before it.
	page, err := s.events(ctx, window.Span, windowRows, 2)
	if err != nil || page.Rows() == 0 {
		return window, err
	}
	// An item without a date gives no hint: the shortest window is always right.
	begin := end.Add(-time.Second)
	if len(page.Events) > 0 {
		begin = audit.Earlier(begin, wholeSecond(page.Events[0].At))
	}
	window.From = audit.Later(begin, floor)
	if len(page.Events) == 2 && page.Events[1].At.Before(window.From) {
		window.before = &page.Events[1]
	}
	return window, nil
}

func (s *Syncer) readPlanned(ctx context.Context, windows <-chan planned, done chan<- windowRead) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case window, ok := <-windows:
			if !ok {
				return nil
			}
			err := s.readWindow(ctx, window, func(read windowRead) error {
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
func (s *Syncer) readWindow(ctx context.Context, window planned, send func(windowRead) error) error {
	passes, closed, err := s.collect(ctx, window.Span)
	if err != nil {
		return err
	}
	if closed {
		if err := s.correctDates(ctx, window, passes.events); err != nil {
			return err
		}
		return send(windowRead{ReadWindow: passes.result()})
	}
	middle := wholeSecond(window.From.Add(window.To.Sub(window.From) / 2))
	if middle.After(window.From) {
		if err := s.readWindow(ctx, planned{Span: audit.Span{From: middle, To: window.To}}, send); err != nil {
			return err
		}
		return s.readWindow(ctx, planned{audit.Span{From: window.From, To: middle}, window.before}, send)
	}
	return send(windowRead{ReadWindow: passes.result(), gapCause: fmt.Sprintf("the portal says there are %d rows and lists only %d of them",
		passes.rows, passes.collected())})
}

// correctDates mends the dates of events in the hour that comes twice when
// clocks are set back. The portal lists the first pass of it with the
// offset of the second, an hour late; its filter works on the true time. Where
// the listed offset drops, the hours around are asked for again in pieces
// shorter than the drop: what is listed after its piece has happened that much earlier.
func (s *Syncer) correctDates(ctx context.Context, window planned, events map[int64]audit.Event) error {
	if window.before == nil && window.From.After(s.bottom) {
		page, err := s.events(ctx, audit.Span{From: s.bottom, To: window.From.Add(-time.Second)}, 0, 1)
		if err != nil {
			return err
		}
		if len(page.Events) > 0 {
			window.before = &page.Events[0]
		}
	}
	for _, drop := range drops(window, events) {
		around := audit.Span{From: audit.Later(wholeSecond(drop.at.Add(-drop.by)), window.From), To: audit.Earlier(drop.at.Add(drop.by), window.To)}
		for piece := range pieces(around, drop.by/2) {
			passes, closed, err := s.collect(ctx, piece)
			if err != nil {
				return err
			}
			if !closed {
				return fmt.Errorf("%w: dates in the repeated hour at %s cannot be told apart", audit.ErrUnavailable, drop.at.Format(time.RFC3339))
			}
			for id, e := range passes.events {
				if e.At.After(piece.To) {
					e.At = e.At.Add(-drop.by)
				}
				if _, ok := events[id]; ok { // what has come since is for the next check
					events[id] = e
				}
			}
		}
	}
	return nil
}

// drop is where listed offsets become lower with time.
type drop struct {
	at time.Time // of the first event listed with the lower offset
	by time.Duration
}

// drops finds the drops in a window. Both ends of the window can lie in the
// repeated hour: then events are listed beyond them.
func drops(window planned, events map[int64]audit.Event) []drop {
	sorted := slices.SortedFunc(maps.Values(events), func(a, b audit.Event) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(b.Offset, a.Offset))
	})
	var found []drop
	before := window.before
	if before != nil && !before.At.Before(window.From) {
		found = append(found, drop{window.From, tolerance})
	}
	for i := range sorted {
		e := &sorted[i]
		if before != nil && before.Offset > e.Offset {
			found = append(found, drop{e.At, time.Duration(before.Offset-e.Offset) * time.Second})
		}
		before = e
	}
	if before != nil && before.At.After(window.To) && len(sorted) > 0 {
		found = append(found, drop{window.To, tolerance})
	}
	return found
}

// pieces cuts a span into pieces of at most size, neighbours sharing their edges.
func pieces(span audit.Span, size time.Duration) iter.Seq[audit.Span] {
	return func(yield func(audit.Span) bool) {
		for from := span.From; from.Before(span.To); from = from.Add(size) {
			if !yield(audit.Span{From: from, To: audit.Earlier(from.Add(size), span.To)}) {
				return
			}
		}
	}
}

// collect reads all rows of a span; closed is false if that could not be proved.
func (s *Syncer) collect(ctx context.Context, span audit.Span) (p *passes, closed bool, err error) {
	p = &passes{
		ask:  func(start, size int) (audit.EventPage, error) { return s.events(ctx, span, start, size) },
		span: span, events: map[int64]audit.Event{}, items: map[[sha256.Size]byte]audit.Undecodable{},
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
	for _, e := range page.Events {
		if e.At.Before(span.From.Add(-tolerance)) || e.At.After(span.To.Add(tolerance)) {
			return page, fmt.Errorf("%w (event %d of %s came in answer to %s to %s)", ErrNoAuditOption, e.ID,
				e.At.Format(time.RFC3339), span.From.Format(time.RFC3339), span.To.Format(time.RFC3339))
		}
	}
	return page, nil
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
	ask    func(start, size int) (audit.EventPage, error)
	span   audit.Span
	events map[int64]audit.Event
	items  map[[sha256.Size]byte]audit.Undecodable
	rows   int // by the latest pass
	readAt time.Time
}

func (p *passes) collected() int { return len(p.events) + len(p.items) }

// run makes passes until all rows are collected; false if they never were.
func (p *passes) run() (closed bool, err error) {
	for _, size := range pageSizes {
		if err := p.pass(size); err != nil {
			return false, err
		}
		if p.collected() > p.rows {
			return false, fmt.Errorf("%w: %d events of %s to %s are gone", audit.ErrRestored, p.collected()-p.rows,
				p.span.From.Format(time.RFC3339), p.span.To.Format(time.RFC3339))
		}
		if p.collected() < p.rows {
			continue
		}
		// A portal that has stopped filtering ends any window with a short page.
		page, err := p.page(p.rows, 1)
		if err != nil {
			return false, err
		}
		if page.Rows() == 0 {
			return true, nil
		}
	}
	return false, nil
}

func (p *passes) pass(size int) error {
	p.rows = 0
	for {
		page, err := p.page(p.rows, size)
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
func (p *passes) page(start, size int) (audit.EventPage, error) {
	page, err := p.ask(start, size)
	for _, e := range page.Events {
		p.events[e.ID] = e
	}
	for _, item := range page.Undecodable {
		p.items[item.SHA256] = item
	}
	return page, err
}

func (p *passes) result() audit.ReadWindow {
	return audit.ReadWindow{
		Span: p.span, Rows: p.rows, ReadAt: p.readAt,
		Events:      slices.SortedFunc(maps.Values(p.events), func(a, b audit.Event) int { return a.At.Compare(b.At) }),
		Undecodable: slices.Collect(maps.Values(p.items)),
	}
}

// wholeSecond cuts a time to the second: the portal takes no fractions.
func wholeSecond(t time.Time) time.Time { return t.Truncate(time.Second) }
