package report

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"roompulse/internal/audit"
)

// What reports for people say, whatever the format.

// fact is a line of a list of facts. Further lines of one fact have no name.
type fact struct{ Name, Text string }

// words name what a report counts.
type words struct {
	plural string // no recorded ...
	one    string // Last ...
}

func wordsOf(f audit.Filter) words {
	switch f {
	case audit.FilterView:
		return words{"views", "view"}
	case audit.FilterEdit:
		return words{"edits", "edit"}
	case audit.FilterManage:
		return words{"management", "management"}
	default:
		return words{"activity", "activity"}
	}
}

func (r *InactiveReport) title() string {
	subject := "Members without recorded "
	if r.query.All {
		subject = "Members and their recorded "
	}
	return subject + wordsOf(r.Activity).plural
}

func (r *InactiveReport) facts() []fact {
	return []fact{
		{"Window", windowText(r.query.Window, r.DataQuality)},
		{"Counted", countedText(r.Activity, r.MinActivity)},
		{"Judged", judgedText(r)},
	}
}

// Heading are lines that say what the report is about, for what prints its answer in another form.
func (r *InactiveReport) Heading() []string {
	var lines []string
	for _, f := range r.facts() {
		lines = append(lines, fmt.Sprintf("%s%-8s%s%s", indent, f.Name, space, f.Text))
	}
	return lines
}

func windowText(w audit.Window, q DataQuality) string {
	end := ""
	if w.To.Equal(q.CompleteUntil.Time) {
		end = ", where the data end"
	}
	return fmt.Sprintf("%s (%s)%s", span(w.From, w.To, w.Zone), w.Zone, end)
}

func countedText(activity audit.Filter, minActivity int64) string {
	what := string(activity) + " events"
	if activity == audit.FilterAny {
		what = "view, edit and manage events"
	}
	if minActivity == 1 {
		return what + "; one in the window makes a member active"
	}
	return fmt.Sprintf("%s; %d in the window make a member active", what, minActivity)
}

func judgedText(r *InactiveReport) string {
	memberships, excluded := 0, 0
	for _, n := range r.Totals {
		memberships += n
	}
	for _, room := range r.Rooms {
		excluded += len(room.Excluded)
	}
	text := fmt.Sprintf("%s of %s in %s, as of the window's end", count(memberships, "membership"), people(r.People), count(len(r.Rooms), "room"))
	var without []string
	if !r.query.Owners {
		without = append(without, "room owners")
	}
	switch r.query.Guests {
	case GuestsExclude:
		without = append(without, "guests")
	case GuestsOnly:
		text += ", guests only"
	case GuestsInclude:
	}
	if !r.query.Archived && len(r.query.Rooms) == 0 {
		without = append(without, "archived rooms")
	}
	if excluded > 0 {
		without = append(without, fmt.Sprintf("%d excluded", excluded))
	}
	if len(without) > 0 {
		text += ", without " + enumerate(without)
	}
	return text
}

func people(n int) string {
	if n == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", n)
}

// total is how many members are in a state, and what it means.
type total struct {
	state   State
	members int
	meaning string
}

// totals are by state, in the order in which people read of them; a state that
// cannot be is left out.
func (r *InactiveReport) totals() []total {
	meaning := r.meanings()
	var totals []total
	for _, s := range stateOrder {
		if r.MinActivity > 1 || s != StateLow {
			totals = append(totals, total{s, r.Totals[s], meaning[s]})
		}
	}
	return totals
}

// meanings says what the states are.
func (r *InactiveReport) meanings() map[State]string {
	quiet := "none in the window; some before it"
	if since := r.noneSince; !since.IsZero() && since.Before(r.query.Window.To) {
		quiet += ", or none since data begin"
	}
	counted := wordsOf(r.Activity).plural
	return map[State]string{
		StateNever:   fmt.Sprintf("no recorded %s since they became a member", counted),
		StateQuiet:   quiet,
		StateLow:     "some in the window, but too little",
		StateUnknown: "cannot be told",
		StateNew:     "a member for less than " + length(r.query.Grace),
		StatePending: "invitation not accepted",
		StateActive:  "enough in the window",
	}
}

// stateOrder holds the states in the order in which people read of them.
var stateOrder = []State{StateNever, StateQuiet, StateLow, StateUnknown, StateNew, StatePending, StateActive}

func rank(s State) int { return slices.Index(stateOrder, s) }

// stateText is how people read a state.
func stateText(m Member) string {
	if m.UnknownBecause != nil {
		return unknownText(*m.UnknownBecause)
	}
	return string(m.State)
}

// unknownText says why a state is unknown.
func unknownText(because UnknownBecause) string {
	if because == IncompleteData {
		return "unknown, data"
	}
	return "unknown, room"
}

// unknownReason says in a sentence why a state is unknown.
func (r *InactiveReport) unknownReason(because UnknownBecause) string {
	if because == IncompleteData {
		return "events that may be theirs are missing; " + strings.Join(mend(r.coverage, r.query.Window, r.query.Now), "; ")
	}
	return "they did something in a room of that title; other rooms had it too, and DocSpace does not say which of them it was"
}

// unknownSteps say what would tell of those who are unknown.
func (r *InactiveReport) unknownSteps() []string {
	counts := make(map[UnknownBecause]int)
	explain := ""
	for _, room := range r.Rooms {
		for _, m := range room.Inactive {
			if m.UnknownBecause == nil {
				continue
			}
			counts[*m.UnknownBecause]++
			if explain == "" && *m.UnknownBecause == UnresolvedEvents {
				explain = explainCommand(r.query.Window, room.ID, m.AccountID)
			}
		}
	}
	var steps []string
	if n := counts[IncompleteData]; n > 0 {
		steps = append(steps, fmt.Sprintf("%s (%d): %s", unknownText(IncompleteData), n, r.unknownReason(IncompleteData)))
	}
	if n := counts[UnresolvedEvents]; n > 0 {
		text := fmt.Sprintf("%s (%d): %s; ", unknownText(UnresolvedEvents), n, r.unknownReason(UnresolvedEvents))
		if n > 1 {
			text += "of the first, "
		}
		steps = append(steps, text+"see "+explain)
	}
	return steps
}

// explainCommand is what shows the events behind a verdict.
func explainCommand(w audit.Window, room, account string) string {
	return fmt.Sprintf("roompulse explain --from %s --to %s --room %s --account %s",
		w.From.UTC().Format(time.RFC3339Nano), w.To.UTC().Format(time.RFC3339Nano), shellWord(room), shellWord(account))
}

var plainWord = regexp.MustCompile(`^[a-zA-Z0-9._@/+-]+$`)

// shellWord quotes a word for a shell.
func shellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(plain(s), "'", `'\''`) + "'"
}

// ExclusionText says whom an exclusion excludes, and why.
func ExclusionText(x audit.Exclusion) string {
	return excludedText(x.Kind, x.Subject, x.Name) + ": " + plain(x.Reason)
}

func excludedText(kind audit.ExclusionKind, subject, name string) string {
	if strings.TrimSpace(name) == "" || name == subject {
		return fmt.Sprintf("%s %s", kind, plain(subject))
	}
	return fmt.Sprintf("%s %s (%s)", kind, plain(name), plain(subject))
}

// exclusionFacts are the exclusions with what they take out of the report.
func (r *InactiveReport) exclusionFacts() []fact {
	facts := make([]fact, len(r.Exclusions))
	for i, x := range r.Exclusions {
		until := ""
		if !x.ExpiresAt.IsZero() {
			until = ", until " + Clock(x.ExpiresAt.Time, r.query.Window.Zone)
		}
		facts[i] = fact{
			strconv.Itoa(int(x.ID)),
			fmt.Sprintf("%s: %s (%s here%s)", excludedText(x.Kind, x.Subject, x.Name), plain(x.Reason), count(x.Members, "membership"), until),
		}
	}
	return facts
}

// roomText says how many members of a room were judged and listed.
func roomText(room Room) string {
	text := count(room.Members, "member")
	if n := len(room.Excluded); n > 0 {
		text += fmt.Sprintf(" and %d excluded", n)
	}
	if n := len(room.Inactive); n > 0 {
		text += fmt.Sprintf(", %d listed", n)
	}
	return text
}

// roomNote says what is wrong with a room's list of members, if something is.
func roomNote(room Room, zone *time.Location) string {
	since := Clock(room.UnreadableSince.Time, zone)
	switch unreadable := !room.UnreadableSince.IsZero(); {
	case unreadable && room.MembersListed:
		return fmt.Sprintf("The portal shows no members of it since %s: these are the last known ones.", since)
	case unreadable:
		return fmt.Sprintf("The portal has not shown its members yet, and was first asked %s.", since)
	case !room.MembersListed:
		return "Its members are not listed yet: run roompulse sync"
	}
	return ""
}

func isViewer(m Member) bool { return m.Access == audit.AccessViewer.String() }

func accessText(m Member) string {
	text := m.Access
	if isViewer(m) {
		text += viewerMark
	}
	if m.Guest {
		text += " (guest)"
	}
	return text
}

// isOlder reports whether the last activity lies before the membership.
func isOlder(m Member) bool {
	return !m.LastActiveAt.IsZero() && !m.MemberSince.IsZero() && m.LastActiveAt.Before(m.MemberSince.Time)
}

func lastActivity(r *InactiveReport, m Member, layout string) string {
	zone := r.query.Window.Zone
	switch since := r.noneSince; {
	case isOlder(m):
		return m.LastActiveAt.In(zone).Format(layout) + olderMark
	case !m.LastActiveAt.IsZero():
		return m.LastActiveAt.In(zone).Format(layout)
	case m.State == StateNever:
		return noneText
	case m.State == StateQuiet && !since.IsZero() && since.Before(r.query.Window.To):
		return noneSinceText + " " + since.In(zone).Format(time.DateOnly)
	}
	return noneKnownText
}

const (
	viewerMark    = "*"
	olderMark     = "†"
	noneText      = "none"
	noneSinceText = "none since"
	noneKnownText = "none known"
)

var olderNote = fact{olderMark, "older than the membership: they were a member before, or had a right in another way"}

func listedOf(room Room) []Member { return room.Inactive }

func everybodyOf(room Room) []Member { return room.everybody }

// footnotes explain the marks and words that stand at the members shown.
func (r *InactiveReport) footnotes(shown func(Room) []Member) []fact {
	var viewer, older, noneSince, noneKnown, unseen, sinceUnknown bool
	for _, room := range r.Rooms {
		for _, m := range shown(room) {
			last := lastActivity(r, m, time.DateOnly)
			viewer = viewer || isViewer(m)
			older = older || isOlder(m)
			noneSince = noneSince || strings.HasPrefix(last, noneSinceText)
			noneKnown = noneKnown || last == noneKnownText
			unseen = unseen || m.LastSeenAt.IsZero()
			sinceUnknown = sinceUnknown || m.MemberSince.IsZero()
		}
	}
	var notes []fact
	add := func(needed bool, mark, text string) {
		if needed {
			notes = append(notes, fact{mark, text})
		}
	}
	add(viewer, viewerMark, "of a viewer, little but downloads and the viewing of media is recorded")
	add(older, olderNote.Name, olderNote.Text)
	add(noneSince, noneSinceText, "the data begin there, and say nothing of the time before")
	add(noneKnown, noneKnownText, "none is held, but data are missing, or the room of some events is not certain")
	add(unseen, "Last seen -", "no trace of any kind in the portal since the data begin")
	add(sinceUnknown, "Member since -", "a member when the room was first listed; no log says since when")
	return notes
}

// qualityFacts say what a report rests on.
func qualityFacts(q DataQuality, w audit.Window) []fact {
	var facts []fact
	add := func(name, format string, args ...any) {
		facts = append(facts, fact{name, fmt.Sprintf(format, args...)})
	}
	if q.CompleteUntil.IsZero() {
		add("Complete", "nothing yet: run roompulse sync")
	} else {
		add("Complete", "%s", span(q.CompleteFrom.Time, q.CompleteUntil.Time, w.Zone))
	}
	if len(q.Gaps) == 0 {
		add("Gaps", "none in the window")
	}
	for i, gap := range q.Gaps {
		const most = 10
		name := ""
		if i == 0 {
			name = "Gaps"
		}
		if i == most {
			add(name, "and %d more", len(q.Gaps)-most)
			break
		}
		note := ""
		if gap.Accepted {
			note = " (accepted)"
		}
		add(name, "%s%s", span(gap.From.Time, gap.To.Time, w.Zone), note)
	}
	add("Events", "%d in the window, in the whole portal: %s in no certain room, %s in an inferred one, %d not readable",
		q.Events, percent(q.UnattributedEvents, q.Events), percent(q.InferredEvents, q.Events), q.QuarantinedEvents)
	switch known := q.MembersKnownFrom.Time; {
	case known.IsZero():
		add("Members", "of no room shown here listed yet")
	case w.To.Before(known):
		add("Members", "all listed since %s, after the window: those of its end are worked out from logs, and people deleted since are missing",
			Clock(known, w.Zone))
	default:
		add("Members", "all listed since %s", Clock(known, w.Zone))
	}
	return facts
}

// qualityLine is qualityFacts for those whose format has no place for them.
func qualityLine(q DataQuality, w audit.Window) string {
	var parts []string
	for _, f := range qualityFacts(q, w) {
		if f.Name == "" {
			parts[len(parts)-1] += ", " + f.Text
		} else {
			parts = append(parts, strings.ToLower(f.Name)+" "+f.Text)
		}
	}
	return "Data quality: " + strings.Join(parts, "; ")
}

// QualityLine says what the report rests on.
func (r *InactiveReport) QualityLine() string { return qualityLine(r.DataQuality, r.query.Window) }

// QualityLine says what the report rests on.
func (r *ActivityReport) QualityLine() string { return qualityLine(r.DataQuality, r.query.Window) }

const recorded = "DocSpace records opening for editing, saving, uploading, downloading and viewing media, " +
	"not the mere viewing of an office document: no recorded activity is no proof of absence."

func percent(part, whole int64) string {
	if whole == 0 || part == 0 {
		return "0 %"
	}
	if share := 100 * float64(part) / float64(whole); share >= 0.1 {
		return fmt.Sprintf("%.1f %%", share)
	}
	return "under 0.1 %"
}
