package ingest

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"time"

	"roompulse/internal/audit"
)

// pageSizes are the sizes of pages on successive passes over a window. Rows of
// the same second have no order, and a portal may cut them wrongly in the
// same way on every pass; with another size it cuts elsewhere.
var pageSizes = []int{100, 97, 89, 83, 79, 73, 71, 67, 61, 59, 53, 47}

// maxRepeats is how often as many rows may be listed in one pass as there are different ones.
// Rows of one second do repeat from page to page, but not all of them on each.
const maxRepeats = 10

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
	events map[int64]*audit.Event
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
		gone := p.collected() - p.rows
		if gone < 0 {
			continue
		}
		// A portal that has stopped filtering ends any window with a short page:
		// it is recognized first, lest its twenty rows are taken for all that is left.
		page, err := p.page(p.rows, 1)
		if err != nil {
			return false, err
		}
		if gone > 0 {
			return false, fmt.Errorf("%w: %d events of %s to %s are gone", audit.ErrRestored, gone,
				p.span.From.Format(time.RFC3339), p.span.To.Format(time.RFC3339))
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
		if p.rows > maxRepeats*max(windowRows, p.collected()) { // it would go on for ever
			return fmt.Errorf("list events of %s to %s: the first %d rows are only %d different ones: the portal, or a proxy before it, ignores startIndex",
				p.span.From.Format(time.RFC3339), p.span.To.Format(time.RFC3339), p.rows, p.collected())
		}
	}
}

// page asks for a page and keeps what is on it.
func (p *passes) page(start, size int) (audit.EventPage, error) {
	page, err := p.ask(start, size)
	for i := range page.Events {
		e := &page.Events[i]
		p.events[e.ID] = e
	}
	// Of items without an id several can be alike to the byte. One answer lists no
	// row twice, so that those on one page are different rows; on different
	// pages they may be the same one.
	copies := map[[sha256.Size]byte]byte{}
	for _, item := range page.Undecodable {
		hash := item.SHA256
		if n := copies[hash]; n > 0 {
			item.SHA256 = sha256.Sum256(append(hash[:], n))
		}
		copies[hash]++
		p.items[item.SHA256] = item
	}
	return page, err
}

func (p *passes) result() audit.ReadWindow {
	return audit.ReadWindow{
		Span: p.span, Rows: p.rows, ReadAt: p.readAt,
		Events:      slices.SortedFunc(maps.Values(p.events), func(a, b *audit.Event) int { return a.At.Compare(b.At) }),
		Undecodable: slices.Collect(maps.Values(p.items)),
	}
}
