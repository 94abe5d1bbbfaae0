package report

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"roompulse/internal/audit"
)

// Explainer reads what tells why a member got their verdict.
type Explainer interface {
	// ExplainFacts reads the facts of one account, named by id or e-mail address,
	// in one room, all from one state of the warehouse. Of each list of events
	// the given number of newest ones is read.
	ExplainFacts(ctx context.Context, w audit.Window, counted audit.Filter, room, account string, newest int64) (audit.ExplainFacts, error)
}

// ExplainQuery says whose verdict to explain.
type ExplainQuery struct {
	Inactive InactiveQuery // the report that is explained; its Rooms and All play no part
	Room     string        // id
	Account  string        // id or, in any case, e-mail address
	// AllEvents lists every event, not only the newest of each list.
	AllEvents bool
}

// newestShown is how many events of a list are shown unless all are asked for.
const newestShown = 20

// ExplainReport is the answer to an [ExplainQuery].
type ExplainReport struct {
	inactive *InactiveReport // what the report says of the room, without its members
	facts    audit.ExplainFacts
	room     audit.RoomFacts
	account  audit.AccountFacts
	member   *Member // nil: no member as of the window's end
	// verdict is in the words of the report; listed says why no report, or not
	// every one, has it, and is empty if it has.
	verdict, listed string
}

// Explain tells why an account got its verdict in a room, member or not. The
// error is a [audit.UsageError] if the query cannot be meant, also if there is no
// such room or account, or if several accounts have the e-mail address.
func Explain(ctx context.Context, r Explainer, q ExplainQuery) (*ExplainReport, error) {
	if err := q.Inactive.Validate(); err != nil {
		return nil, err
	}
	newest := int64(newestShown)
	if q.AllEvents {
		newest = math.MaxInt64
	}
	facts, err := r.ExplainFacts(ctx, q.Inactive.Window, q.Inactive.Activity, q.Room, q.Account, newest)
	if err != nil {
		return nil, fmt.Errorf("explain a verdict: %w", err)
	}
	if len(facts.Rooms) == 0 {
		return nil, unknownRoom(q.Room)
	}
	if err := checkAccounts(q.Account, facts.Accounts); err != nil {
		return nil, err
	}
	judge := newJudge(q.Inactive, facts.Coverage)
	e := &ExplainReport{
		inactive: &InactiveReport{
			Portal: facts.Portal, Window: newWindow(q.Inactive.Window), MinActivity: q.Inactive.MinActivity, Activity: q.Inactive.Activity,
			Rooms:       []Room{newRoom(facts.Rooms[0], q.Inactive.Window)},
			DataQuality: newDataQuality(facts.Facts, facts.Rooms, q.Inactive.Window, q.Inactive.Now),
			query:       q.Inactive, coverage: facts.Coverage, noneSince: judge.knownFrom,
		},
		facts: facts, room: facts.Rooms[0], account: facts.Accounts[0],
	}
	e.judge(judge)
	return e, nil
}

func checkAccounts(asked string, accounts []audit.AccountFacts) error {
	switch len(accounts) {
	case 0:
		return audit.Usagef("--account %s is not known: give the id or the e-mail address of an account; "+
			"roompulse report inactive --all shows those of all members, and a new account needs a roompulse sync", asked)
	case 1:
		return nil
	}
	var there []string
	for _, a := range accounts {
		there = append(there, fmt.Sprintf("%s (%s, %s)", plain(a.ID), personName(a.Name, a.ID), statusText(a)))
	}
	return audit.Usagef("--account %s is the e-mail address of %d accounts: give the id of one of them: %s",
		asked, len(accounts), strings.Join(there, ", "))
}

// judge fills in what the report says of the account.
func (e *ExplainReport) judge(judge judge) {
	q := e.inactive.query
	switch w := q.Window; {
	case !audit.IsPerson(e.account.ID):
		e.verdict = "none: the id stands for no certain person"
	case !e.room.Deleted.IsZero() && !e.room.Deleted.After(w.To):
		e.verdict = "none: the room was deleted before the window's end"
	case e.room.Created.After(w.To):
		e.verdict = "none: the room was made after the window's end"
	case len(e.facts.Members) == 0:
		e.verdict = "none: no member of the room at the window's end"
	}
	if e.verdict != "" {
		return
	}
	facts := e.facts.Members[0]
	v := judge.verdict(facts, e.room.Created)
	member := newMember(facts, v)
	e.member = &member
	if v.state == StateUnknown {
		e.verdict = unknownText(v.because) + ": " + e.inactive.unknownReason(v.because)
		if v.because == UnresolvedEvents {
			e.verdict += "; they are listed below"
		}
	} else {
		e.verdict = string(v.state) + ": " + e.inactive.meanings()[v.state]
	}
	var only []string // with which flags a report lists them
	switch excluded := e.excluded(); {
	case facts.Status.IsClosed():
		e.listed = "reports list no disabled or deleted accounts"
		return
	case excluded != "":
		e.listed = "on no report, excluded: " + excluded
		return
	case facts.Owner && !q.Owners:
		only = append(only, "--owners")
	}
	if e.room.Archived && !q.Archived {
		only = append(only, "--archived or --room")
	}
	if !v.state.IsListed() {
		only = append(only, "--all")
	}
	if len(only) > 0 {
		e.listed = "on a report of inactive members only with " + enumerate(only)
	}
}

// excluded is the exclusion that the member falls under, empty if there is none.
func (e *ExplainReport) excluded() string {
	id := audit.NewExcluder(e.facts.Exclusions, e.inactive.query.Now).Find(e.facts.Members[0])
	i := slices.IndexFunc(e.facts.Exclusions, func(x audit.Exclusion) bool { return x.ID == id })
	if i < 0 {
		return ""
	}
	return ExclusionText(e.facts.Exclusions[i])
}

// Write writes the answer as text for people.
func (e *ExplainReport) Write(w io.Writer, o Options) error {
	if err := writeExplanation(w, e, o); err != nil {
		return fmt.Errorf("write the explanation: %w", err)
	}
	return nil
}
