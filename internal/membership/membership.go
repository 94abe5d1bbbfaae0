// Package membership says who held which right in a room when.
//
// Two witnesses are heard. Lists of a room's members say who held which right
// at the moment they were read, but not since when. The room's log says at
// which moment somebody was added or removed, but not with which right, and not
// of everything: people go without an entry when their account is deleted, and
// rooms in third-party storage have no log. Where the log has the moment, it
// counts; where it has not, a change is dated by the first list that shows it.
// The answer depends on what the witnesses say alone, not on when they were heard.
package membership

import (
	"cmp"
	"slices"
	"time"

	"roompulse/internal/audit"
)

// Right is what somebody may do in a room; the zero Right is none.
type Right struct {
	Access audit.Access
	Owner  bool
}

// Sighting is what a list said about a holder that the one before it did not,
// or that the log had not told.
type Sighting struct {
	ReadAt time.Time // portal time
	// AsOf is when a change that only lists show counts as made; not after
	// ReadAt. Reports end where events do, shortly before the lists that were
	// read with them.
	AsOf time.Time
	// Before is when the list before was read; it said what the sighting before
	// this one says. Zero for the first list and for one that was Implied.
	Before time.Time
	Right  Right // zero: not on the list
}

// Change is an entry of a room's log.
type Change struct {
	At      time.Time
	EventID int64
	Act     audit.MemberAct
}

// Evidence is what is known of one holder, a person or a group, in one room.
type Evidence struct {
	Sightings []Sighting // by rising ReadAt
	Changes   []Change   // in any order
}

// Implied is what the last list, read at readAt as of asOf, said of the holder, if that
// matters and is not among the sightings: it had nothing new to say, and by now there are
// changes since the sightings. Such a sighting is to be kept: the next list has another date.
func Implied(e Evidence, readAt, asOf time.Time) (s Sighting, ok bool) {
	var last Sighting
	if n := len(e.Sightings); n > 0 {
		last = e.Sightings[n-1]
	}
	ok = readAt.After(last.ReadAt) && slices.ContainsFunc(e.Changes, func(c Change) bool {
		return c.Act != audit.MemberDeposed && !c.At.Before(last.ReadAt.Add(-listEarly))
	})
	return Sighting{ReadAt: readAt, AsOf: asOf, Right: last.Right}, ok
}

// Span is a time in which a right was held.
type Span struct {
	From time.Time // zero: since before anything is known
	To   time.Time // first moment without; zero: it is held
	// JoinedAt is the start of the membership whatever rights it has had since;
	// zero as From.
	JoinedAt time.Time
	// JoinedAfter is the last moment the membership is known not to have begun
	// yet; it equals JoinedAt where the moment is known and is zero where nothing is.
	JoinedAfter time.Time
	// Right has no Access where nobody ever said which it was.
	Right Right
}

// A list is read over some moments, page after page, and its portal's clocks
// may differ by seconds: within these bounds it may show what the log dates
// after its reading, or lack what the log dates before.
const (
	listEarly = 5 * time.Second
	listLate  = time.Minute
)

// Spans returns when which right was held, by rising time.
func Spans(e Evidence) []Span {
	b := builder{}
	changes := inOrder(e.Changes)
	next := 0
	for _, l := range lists(e.Sightings) {
		at := place(l, changes, next)
		b.changes(changes[next:at], l.presence())
		b.list(l)
		next = at
	}
	b.changes(changes[next:], unknown)
	return b.spans()
}

// list is what one list said of the holder.
type list struct {
	readAt, asOf time.Time
	right        Right
}

// lists are those that bound what the sightings say: the ones that brought
// something new and the ones right before these.
func lists(sightings []Sighting) []list {
	var all []list
	var said Right
	for _, s := range sightings {
		if !s.Before.IsZero() {
			all = append(all, list{s.Before, s.Before, said})
		}
		all = append(all, list{s.ReadAt, s.AsOf, s.Right})
		said = s.Right
	}
	return all
}

// inOrder sorts changes by time. Times have whole seconds, and ids are not given in order.
func inOrder(changes []Change) []Change {
	sorted := slices.Clone(changes)
	slices.SortFunc(sorted, func(a, b Change) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.EventID, b.EventID)) })
	return sorted
}

// presence is whether the holder is a member.
type presence int8

const (
	unknown presence = iota
	absent
	present
)

// fits reports whether both can be true at once.
func (p presence) fits(q presence) bool { return p == unknown || q == unknown || p == q }

func before(a audit.MemberAct) presence {
	switch a {
	case audit.MemberAdded:
		return absent
	case audit.MemberRemoved, audit.MemberChanged:
		return present
	default:
		return unknown
	}
}

func after(a audit.MemberAct) presence {
	switch a {
	case audit.MemberRemoved:
		return absent
	case audit.MemberAdded, audit.MemberChanged, audit.MemberPromoted:
		return present
	default:
		return unknown
	}
}

func (l list) presence() presence {
	if l.right == (Right{}) {
		return absent
	}
	return present
}

// place returns how many of the changes a list already knew. Near its reading
// that is a question of what fits.
func place(l list, changes []Change, from int) int {
	countUntil := func(at time.Time) int {
		n := from
		for n < len(changes) && !changes[n].At.After(at) {
			n++
		}
		return n
	}
	first, natural, last := countUntil(l.readAt.Add(-listEarly)), countUntil(l.readAt), countUntil(l.readAt.Add(listLate))
	fits := func(n int) bool {
		return (n == first || l.presence().fits(after(changes[n-1].Act))) &&
			(n == last || l.presence().fits(before(changes[n].Act)))
	}
	for _, n := range []int{natural, first, last} {
		if fits(n) {
			return n
		}
	}
	for n := first; n <= last; n++ {
		if fits(n) {
			return n
		}
	}
	return natural
}

// builder puts the statements together, by rising time.
type builder struct {
	now    presence
	at     time.Time // of the last statement
	stays  []stay
	absent time.Time // last moment known absent
}

// stay is one membership.
type stay struct {
	from, to, joinedAfter time.Time
	known                 []known
	turns                 []turn
}

// turn is a moment at which the right may have changed.
type turn struct {
	at  time.Time
	act audit.MemberAct
}

// known is a right that was held at some moment.
type known struct {
	at, asOf time.Time
	right    Right
}

func (b *builder) last() *stay { return &b.stays[len(b.stays)-1] }

func (b *builder) open(from, joinedAfter time.Time) {
	b.stays = append(b.stays, stay{from: from, joinedAfter: joinedAfter})
	b.now = present
}

func (b *builder) shut(at time.Time) {
	b.last().to = at
	b.now = absent
}

func (b *builder) list(l list) {
	at := audit.Later(l.asOf, b.at) // between the statement before and this one nobody knows the moment
	switch {
	case l.presence() == absent:
		if b.now == present {
			b.shut(audit.Later(at, b.last().from))
		}
		b.now, b.absent = absent, audit.Later(l.readAt, b.absent)
	case b.now == unknown:
		b.open(time.Time{}, time.Time{})
	case b.now == absent:
		b.open(at, audit.Earlier(b.absent, at))
	}
	if l.presence() == present {
		b.last().known = append(b.last().known, known{l.readAt, at, l.right})
	}
	b.at = audit.Later(l.asOf, b.at)
}

// changes applies changes in order, and next is what comes after them. Of those
// in one second that one comes first which fits what was before.
func (b *builder) changes(changes []Change, next presence) {
	for i := range changes {
		end := i
		for end < len(changes) && changes[end].At.Equal(changes[i].At) {
			end++
		}
		after := next
		if end < len(changes) {
			after = before(changes[end].Act)
		}
		for j := i; j < end; j++ {
			if b.fits(changes[j].Act, after) {
				changes[i], changes[j] = changes[j], changes[i]
				break
			}
		}
		b.change(changes[i])
	}
}

// fits reports whether an act can be the first in its second. Where nothing is
// known of before, it counts what is so after: who is no member then was added first.
func (b *builder) fits(act audit.MemberAct, after presence) bool {
	if b.now == unknown {
		return (act == audit.MemberAdded) == (after != present)
	}
	return b.now.fits(before(act))
}

func (b *builder) change(c Change) {
	switch c.Act {
	case audit.MemberAdded:
		if b.now == present {
			b.shut(audit.Later(c.At, b.last().from))
		}
		b.open(c.At, c.At)
	case audit.MemberRemoved:
		if b.now == unknown {
			b.open(time.Time{}, time.Time{})
		}
		if b.now == present {
			b.shut(audit.Later(c.At, b.last().from))
		}
		b.absent = c.At
	case audit.MemberChanged, audit.MemberPromoted:
		switch b.now {
		case present:
		case absent:
			b.open(c.At, audit.Earlier(b.absent, c.At))
		default:
			from := time.Time{}
			if c.Act == audit.MemberPromoted { // a room can be given to somebody who was no member
				from = c.At
			}
			b.open(from, time.Time{})
		}
		b.last().turns = append(b.last().turns, turn{c.At, c.Act})
		if c.Act == audit.MemberPromoted {
			b.last().known = append(b.last().known, known{c.At, c.At, Right{audit.AccessOwner, true}})
		}
	case audit.MemberDeposed:
		if b.now == present {
			b.last().turns = append(b.last().turns, turn{c.At, c.Act})
		}
	}
	b.at = audit.Later(c.At, b.at)
}

func (b *builder) spans() []Span {
	var spans []Span
	for i, s := range b.stays {
		span := Span{From: s.from, To: s.to, JoinedAt: s.from, JoinedAfter: s.joinedAfter, Right: b.firstRight(i)}
		for j, k := range s.known {
			if k.right == span.Right {
				continue
			}
			since := s.turn(s.known[j-1], k) // the first one known is the first right
			if since.After(span.From) {
				ended := span
				ended.To = since
				spans = append(spans, ended)
				span.From = since
			}
			span.Right = k.right
		}
		if span.To.IsZero() || span.To.After(span.From) {
			spans = append(spans, span)
		}
	}
	return spans
}

// turn is the moment since which k's right was held and no more the one before:
// the last change in between, but of an owner's right the first time that
// somebody else was given the room.
func (s *stay) turn(before, k known) time.Time {
	moment := k.asOf
	for _, turn := range s.turns {
		switch {
		case turn.at.Before(before.at.Add(-listEarly)):
		case turn.act == audit.MemberDeposed && !before.right.Owner: // not about this holder
		case turn.act == audit.MemberDeposed && !turn.at.After(k.at.Add(listLate)):
			return turn.at
		case !turn.at.After(k.at):
			moment = turn.at
		case !turn.at.After(k.at.Add(listLate)) && moment.Equal(k.asOf):
			return turn.at
		}
	}
	return moment
}

// firstRight is the first right known of a membership: its own, else of the
// next one that has any, else of the one before.
func (b *builder) firstRight(i int) Right {
	for _, s := range b.stays[i:] {
		if len(s.known) > 0 {
			return s.known[0].right
		}
	}
	for j := i - 1; j >= 0; j-- {
		if known := b.stays[j].known; len(known) > 0 {
			return known[len(known)-1].right
		}
	}
	return Right{}
}
