package ingest

import (
	"crypto/sha256"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roompulse/internal/audit"
)

// shelf is a portal's rows of one window, newest first. Those of one second
// come in any order on each page, and rows are added between pages.
type shelf struct {
	t     *rapid.T
	rows  []audit.Event
	items map[int64]bool // ids of the rows that do not decode, alike to the byte
	late  int            // rows that are still to come
	kept  bool           // ties are in one order whatever the page
}

func newShelf(t *rapid.T) *shelf {
	s := &shelf{t: t, items: map[int64]bool{}, kept: rapid.Bool().Draw(t, "kept"), late: rapid.IntRange(0, 5).Draw(t, "late")}
	for range rapid.IntRange(0, 250).Draw(t, "rows") {
		s.add()
	}
	return s
}

func (s *shelf) add() {
	id := int64(len(s.rows) + 1)
	s.rows = append(s.rows, audit.Event{ID: id, At: time.Unix(rapid.Int64Range(0, 3).Draw(s.t, "second"), 0)})
	s.items[id] = rapid.IntRange(0, 9).Draw(s.t, "item") == 0
}

func (s *shelf) ask(start, size int) (audit.EventPage, error) {
	if s.late > 0 && rapid.IntRange(0, 3).Draw(s.t, "comes") == 0 {
		s.late--
		s.add()
	}
	if !s.kept {
		s.rows = rapid.Permutation(s.rows).Draw(s.t, "order")
	}
	slices.SortStableFunc(s.rows, func(a, b audit.Event) int { return b.At.Compare(a.At) })
	var page audit.EventPage
	for _, e := range s.rows[min(start, len(s.rows)):min(start+size, len(s.rows))] {
		if s.items[e.ID] {
			page.Undecodable = append(page.Undecodable, audit.Undecodable{SHA256: sha256.Sum256([]byte("item"))})
		} else {
			page.Events = append(page.Events, e)
		}
	}
	return page, nil
}

// TestPassesProof: however ties are ordered and whatever is added between
// pages, a window that is called complete has all rows that there were when the
// last page was asked for, and none twice.
func TestPassesProof(t *testing.T) {
	t.Parallel()
	closed := 0
	rapid.Check(t, func(t *rapid.T) {
		s := newShelf(t)
		p := &passes{ask: s.ask, events: map[int64]*audit.Event{}, items: map[[sha256.Size]byte]audit.Undecodable{}}
		done, err := p.run()
		if err != nil {
			t.Fatal(err)
		}
		if !done {
			return
		}
		closed++
		if p.rows != len(s.rows) || p.collected() != len(s.rows) {
			t.Fatalf("%d events and %d items are called all of %d rows", len(p.events), len(p.items), len(s.rows))
		}
		for _, e := range s.rows {
			if _, ok := p.events[e.ID]; ok == s.items[e.ID] {
				t.Fatalf("row %d is missing, or is an event and an item; there are %d", e.ID, slices.Sorted(maps.Keys(p.events)))
			}
		}
	})
	if closed == 0 {
		t.Error("no window was ever complete")
	}
}

// TestPassesEnd: a portal that lists the same page whatever is asked is told from one with many rows.
func TestPassesEnd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		start func(asked int) int
		fails bool
	}{
		"ignores startIndex": {start: func(int) int { return 0 }, fails: true},
		"many in one second": {start: func(asked int) int { return asked }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const rows = 3 * maxRepeats * windowRows
			asked := 0
			p := &passes{events: map[int64]*audit.Event{}, items: map[[sha256.Size]byte]audit.Undecodable{}}
			p.ask = func(start, size int) (page audit.EventPage, err error) {
				if asked++; asked > rows {
					t.Fatal("it goes on for ever")
				}
				for id := test.start(start); id < min(test.start(start)+size, rows); id++ {
					page.Events = append(page.Events, audit.Event{ID: int64(id)})
				}
				return page, nil
			}
			if closed, err := p.run(); closed == test.fails || (err != nil) != test.fails {
				t.Errorf("closed is %t with error %v", closed, err)
			}
		})
	}
}
