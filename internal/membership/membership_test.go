package membership_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roompulse/internal/audit"
	"roompulse/internal/membership"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// at is so many minutes after noon; 0 stands for the zero time.
func at(minutes int) time.Time {
	if minutes == 0 {
		return time.Time{}
	}
	return noon.Add(time.Duration(minutes) * time.Minute)
}

var (
	none    = membership.Right{}
	viewer  = membership.Right{Access: audit.AccessViewer}
	editor  = membership.Right{Access: audit.AccessEditor}
	manager = membership.Right{Access: audit.AccessRoomManager}
	owner   = membership.Right{Access: audit.AccessOwner, Owner: true}
)

func saw(read, asOf, before int, right membership.Right) membership.Sighting {
	return membership.Sighting{ReadAt: at(read), AsOf: at(asOf), Before: at(before), Right: right}
}

func did(minute int, act audit.MemberAct) membership.Change {
	return membership.Change{At: at(minute), EventID: int64(minute), Act: act}
}

func TestSpans(t *testing.T) {
	t.Parallel()
	type spans = []membership.Span
	span := func(from, to, joined, after int, right membership.Right) membership.Span {
		return membership.Span{From: at(from), To: at(to), JoinedAt: at(joined), JoinedAfter: at(after), Right: right}
	}
	for _, test := range []struct {
		name    string
		lists   []membership.Sighting
		changes []membership.Change
		want    spans
	}{
		{"nothing", nil, nil, nil},
		{"the first list tells no beginning", []membership.Sighting{saw(100, 98, 0, editor)}, nil, spans{span(0, 0, 0, 0, editor)}},
		{"a later list bounds it", []membership.Sighting{saw(200, 198, 100, editor)}, nil, spans{span(198, 0, 198, 100, editor)}},
		{"gone between two lists", []membership.Sighting{saw(100, 98, 0, editor), saw(300, 298, 200, none)}, nil, spans{span(0, 298, 0, 0, editor)}},
		{"the log tells the moment", []membership.Sighting{saw(200, 198, 100, editor)}, []membership.Change{did(150, audit.MemberAdded)}, spans{span(150, 0, 150, 150, editor)}},
		{"also before the first list", []membership.Sighting{saw(200, 198, 0, editor)}, []membership.Change{did(20, audit.MemberAdded)}, spans{span(20, 0, 20, 20, editor)}},
		{
			"removed by the log",
			[]membership.Sighting{saw(100, 98, 0, editor), saw(300, 298, 200, none)},
			[]membership.Change{did(250, audit.MemberRemoved)},
			spans{span(0, 250, 0, 0, editor)},
		},
		{
			"removed and added again between two lists",
			[]membership.Sighting{saw(100, 98, 0, editor)},
			[]membership.Change{did(150, audit.MemberRemoved), did(160, audit.MemberAdded)},
			spans{span(0, 150, 0, 0, editor), span(160, 0, 160, 160, editor)},
		},
		{"gone before the first list", nil, []membership.Change{did(50, audit.MemberRemoved)}, spans{span(0, 50, 0, 0, none)}},
		{"come and gone unseen", nil, []membership.Change{did(50, audit.MemberAdded), did(60, audit.MemberRemoved)}, spans{span(50, 60, 50, 50, none)}},
		{
			"an earlier right is the first one known",
			[]membership.Sighting{saw(300, 298, 0, viewer)},
			[]membership.Change{did(50, audit.MemberAdded), did(60, audit.MemberRemoved), did(200, audit.MemberAdded)},
			spans{span(50, 60, 50, 50, viewer), span(200, 0, 200, 200, viewer)},
		},
		{
			"another right, by lists",
			[]membership.Sighting{saw(100, 98, 0, editor), saw(300, 298, 200, viewer)},
			nil,
			spans{span(0, 298, 0, 0, editor), span(298, 0, 0, 0, viewer)},
		},
		{
			"another right, by the log",
			[]membership.Sighting{saw(100, 98, 0, editor), saw(300, 298, 200, viewer)},
			[]membership.Change{did(250, audit.MemberChanged)},
			spans{span(0, 250, 0, 0, editor), span(250, 0, 0, 0, viewer)},
		},
		{
			"a new owner",
			[]membership.Sighting{saw(100, 98, 0, editor), saw(300, 298, 200, owner)},
			[]membership.Change{did(250, audit.MemberPromoted)},
			spans{span(0, 250, 0, 0, editor), span(250, 0, 0, 0, owner)},
		},
		{
			"the old owner",
			[]membership.Sighting{saw(100, 98, 0, owner), saw(300, 298, 200, manager)},
			[]membership.Change{did(250, audit.MemberDeposed)},
			spans{span(0, 250, 0, 0, owner), span(250, 0, 0, 0, manager)},
		},
		{
			"a room given away twice",
			[]membership.Sighting{saw(100, 98, 0, owner), saw(300, 298, 200, manager)},
			[]membership.Change{did(210, audit.MemberDeposed), did(250, audit.MemberDeposed)},
			spans{span(0, 210, 0, 0, owner), span(210, 0, 0, 0, manager)},
		},
		{
			"added, changed, removed and added in one second",
			[]membership.Sighting{saw(100, 98, 0, none), saw(300, 298, 200, viewer)},
			[]membership.Change{did(250, audit.MemberAdded), did(250, audit.MemberChanged), did(250, audit.MemberRemoved), {At: at(250), EventID: 999, Act: audit.MemberAdded}},
			spans{span(250, 0, 250, 250, viewer)},
		},
		{
			"a list that was read while somebody came",
			[]membership.Sighting{saw(200, 198, 100, editor)},
			[]membership.Change{{At: at(200).Add(20 * time.Second), Act: audit.MemberAdded}},
			spans{{From: at(200).Add(20 * time.Second), JoinedAt: at(200).Add(20 * time.Second), JoinedAfter: at(200).Add(20 * time.Second), Right: editor}},
		},
		{
			"a list that was read just before somebody went",
			[]membership.Sighting{saw(100, 98, 0, editor), saw(300, 298, 200, none)},
			[]membership.Change{{At: at(200).Add(-2 * time.Second), Act: audit.MemberRemoved}},
			spans{{To: at(200).Add(-2 * time.Second), Right: editor}},
		},
		{
			"gone without a word",
			[]membership.Sighting{saw(100, 98, 0, none), saw(300, 298, 200, none)},
			[]membership.Change{did(250, audit.MemberAdded)},
			spans{span(250, 298, 250, 250, none)},
		},
		{
			"added and removed in one second, nothing before", nil,
			[]membership.Change{{At: at(200), EventID: 1, Act: audit.MemberRemoved}, {At: at(200), EventID: 2, Act: audit.MemberAdded}, did(300, audit.MemberAdded)},
			spans{span(300, 0, 300, 300, none)},
		},
		{
			"removed and added in one second, nothing before",
			[]membership.Sighting{saw(300, 298, 0, editor)},
			[]membership.Change{{At: at(200), EventID: 1, Act: audit.MemberAdded}, {At: at(200), EventID: 2, Act: audit.MemberRemoved}},
			spans{span(0, 200, 0, 0, editor), span(200, 0, 200, 200, editor)},
		},
		{
			"added and removed in one second",
			[]membership.Sighting{saw(100, 98, 0, none)},
			[]membership.Change{{At: at(200), EventID: 1, Act: audit.MemberRemoved}, {At: at(200), EventID: 2, Act: audit.MemberAdded}},
			nil,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := membership.Spans(membership.Evidence{Sightings: test.lists, Changes: test.changes})
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n%v\nwant\n%v", got, test.want)
			}
		})
	}
}

// TestSpansAreTheTruth: of a room with a whole log the memberships are known to
// the second, whenever its lists were read; the right is known whenever a list has said it.
func TestSpansAreTheTruth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var truth []membership.Span // what really was
		var e membership.Evidence
		now, right := at(1), none
		readAt, said := time.Time{}, none
		if rapid.Bool().Draw(t, "since ever") {
			right = editor
			truth = append(truth, membership.Span{Right: right})
		}
		end := func() { truth[len(truth)-1].To = now }
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 400).Draw(t, "seconds")) * time.Second)
			change := membership.Change{At: now, EventID: rapid.Int64().Draw(t, "id")}
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0, 1:
				if right == none {
					right, change.Act = editor, audit.MemberAdded
				} else {
					end()
					right, change.Act = none, audit.MemberRemoved
				}
			case 2:
				if right == none {
					continue
				}
				end()
				change.Act = audit.MemberChanged
				if right == editor {
					right = viewer
				} else {
					right = editor
				}
			default: // a list
				if said != right || readAt.IsZero() && right != none {
					e.Sightings = append(e.Sightings, membership.Sighting{ReadAt: now, AsOf: now.Add(-2 * time.Minute), Before: readAt, Right: right})
				}
				readAt, said = now, right
				continue
			}
			e.Changes = append(e.Changes, change)
			if right != none {
				truth = append(truth, membership.Span{From: now, Right: right})
			}
		}
		spans := membership.Spans(membership.Evidence{Sightings: e.Sightings, Changes: rapid.Permutation(e.Changes).Draw(t, "order")})
		known := func(at time.Time) bool {
			return slices.ContainsFunc(spans, func(s membership.Span) bool { return !at.Before(s.From) && (s.To.IsZero() || at.Before(s.To)) })
		}
		was := func(at time.Time) bool {
			return slices.ContainsFunc(truth, func(s membership.Span) bool { return !at.Before(s.From) && (s.To.IsZero() || at.Before(s.To)) })
		}
		heard := len(e.Changes) > 0 || len(e.Sightings) > 0
		for probe := at(1); heard && probe.Before(now.Add(time.Minute)); probe = probe.Add(time.Second) {
			if known(probe) != was(probe) {
				t.Fatalf("at %s: member %t, truth %t\nlists %v\nlog %v\nspans %v", probe.Format(time.TimeOnly), known(probe), was(probe), e.Sightings, e.Changes, spans)
			}
		}
		for _, s := range spans {
			if !s.JoinedAt.Equal(s.JoinedAfter) && !s.JoinedAt.IsZero() {
				t.Fatalf("the start of %v is not known exactly", s)
			}
		}
	})
}

// TestImpliedLists: whatever the log tells afterwards, somebody is a member at the time
// of the last list if it said so, and a later list takes nothing back that was known by then.
func TestImpliedLists(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const step = 10 // minutes between lists; changes are in the middle
		var e membership.Evidence
		var told []membership.Change // happened, not heard of yet
		right, readAt, minute := none, time.Time{}, 0
		isMember := func(at time.Time) bool {
			return slices.ContainsFunc(membership.Spans(e), func(s membership.Span) bool {
				return !at.Before(s.From) && (s.To.IsZero() || at.Before(s.To))
			})
		}
		past := func() (members []bool) {
			for m := range minute {
				members = append(members, isMember(at(m+1)))
			}
			return members
		}
		said := func() membership.Right {
			if n := len(e.Sightings); n > 0 {
				return e.Sightings[n-1].Right
			}
			return none
		}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			for i := range rapid.IntRange(0, 3).Draw(t, "changes") {
				act := audit.MemberAdded
				if right != none {
					act = audit.MemberRemoved
				}
				right = membership.Right{Access: editor.Access - right.Access}
				if rapid.Bool().Draw(t, "the log has it") {
					told = append(told, did(minute+3+2*i, act))
				}
			}
			if rapid.Bool().Draw(t, "heard before the list") {
				e.Changes, told = append(e.Changes, told...), nil
			}
			heard := func() {
				if s, ok := membership.Implied(e, readAt, readAt); ok && !readAt.IsZero() {
					e.Sightings = append(e.Sightings, s)
				}
			}
			heard()
			before := past()
			if minute += step; right != said() || (right != none) != isMember(at(minute)) {
				e.Sightings = append(e.Sightings, membership.Sighting{ReadAt: at(minute), AsOf: at(minute), Before: readAt, Right: right})
			}
			readAt = at(minute)
			if after := past()[:len(before)]; !slices.Equal(before, after) {
				t.Fatalf("a list at %d changed what was known: %v, then %v", minute, before, after)
			}
			if rapid.Bool().Draw(t, "heard after the list") {
				e.Changes, told = append(e.Changes, told...), nil
			}
			heard()
			if isMember(readAt) != (right != none) {
				t.Fatalf("at the last list, %d: member %t, and the list said %v\nlists %v\nlog %v", minute, isMember(readAt), right, e.Sightings, e.Changes)
			}
		}
	})
}
