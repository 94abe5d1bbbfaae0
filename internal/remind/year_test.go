package remind_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"roompulse/internal/audit"
	"roompulse/internal/remind"
	"roompulse/internal/store"
	"roompulse/internal/testkit/pgtest"
)

// TestSimulateYear lets cron run every day of a year, now and then not at all or
// twice, on members who come and go, with a mail server that refuses, fails and
// falls silent, and with runs that die at any step. The mails sent and the ledger
// must be those that a plain reading of the rules gives. A failing seed replays
// exactly: go test -run TestSimulateYear/seed=N ./internal/remind
func TestSimulateYear(t *testing.T) {
	t.Parallel()
	seeds := uint64(1)
	if text := os.Getenv("ROOMPULSE_SIMULATE_SEEDS"); text != "" {
		seeds = must(strconv.ParseUint(text, 10, 32))
	}
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			newYear(t, seed).play(t)
		})
	}
}

const (
	yearRooms    = 4
	yearPeople   = 6
	yearManagers = 2 // the first people manage all rooms
	quietPeriod  = 30 * 24 * time.Hour
)

// fate is what happens to a mail.
type fate int

const (
	taken     fate = iota
	refused        // for good
	deferred       // until later
	silenced       // handed over, no answer
	goneDown       // before it was handed over
	notReady       // before it was claimed
	diesFirst      // the run dies before it claims
	diesClaimed
	diesSent // the run dies when the server has taken it
	fates
)

// year is a Judge and a Mailer, and a Ledger that dies at times.
type year struct {
	rng    *rand.Rand
	now    time.Time
	active map[audit.Membership][]time.Time // by rising time
	ledger *store.Ledger
	reader *store.Reader

	fates map[string]fate // of this run, by address
	rooms []string        // that the claimed mail is about
	sent  []string        // what the server got

	// What the rules say: the mails, and the claims that count.
	want     []string
	blocked  map[audit.Membership][]time.Time
	digested map[string][]time.Time
	failed   map[any]time.Time // when a reminder or a digest failed, unless it has not since
	gone     int               // mails in a row, in this run, at which the server goes away
}

func newYear(t *testing.T, seed uint64) *year {
	t.Helper()
	url := pgtest.New(t)
	y := &year{
		rng: rand.New(rand.NewPCG(seed, 0)), now: date("2026-01-01T06:00:00Z"), active: map[audit.Membership][]time.Time{},
		blocked: map[audit.Membership][]time.Time{}, digested: map[string][]time.Time{},
		failed: map[any]time.Time{},
	}
	conn := must(pgx.Connect(t.Context(), url))
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	_, err := conn.Exec(t.Context(), fmt.Sprintf(`
		INSERT INTO portal (portal_id, host, created_at) VALUES (1, 'https://acme.onlyoffice.example', now());
		INSERT INTO room (portal_id, room_key, room_id) SELECT 1, i, 'r' || i FROM generate_series(1, %d) AS i;
		INSERT INTO account (portal_id, account_key, account_id) SELECT 1, i, 'p' || i FROM generate_series(1, %d) AS i`, yearRooms, yearPeople))
	if err != nil {
		t.Fatal(err)
	}
	st := must(store.Open(t.Context(), url))
	t.Cleanup(st.Close)
	portal := must(st.Portal(t.Context(), "https://acme.onlyoffice.example"))
	y.reader = st.Reader(portal)
	y.ledger = must(st.OpenLedger(t.Context(), portal))
	t.Cleanup(y.ledger.Close)

	// Everybody is busy and away in turn.
	for room := range yearRooms {
		for p := range yearPeople {
			key := audit.Membership{RoomID: fmt.Sprintf("r%d", room+1), AccountID: fmt.Sprintf("p%d", p+1)}
			for at := y.now.AddDate(0, 0, -60); at.Before(y.now.AddDate(1, 0, 0)); {
				for range y.rng.IntN(20) {
					at = at.Add(time.Duration(y.rng.IntN(72)) * time.Hour)
					y.active[key] = append(y.active[key], at)
				}
				at = at.AddDate(0, 0, y.rng.IntN(150))
			}
		}
	}
	return y
}

func (y *year) play(t *testing.T) {
	t.Helper()
	for day := range 365 {
		runs := []int{0, 1, 1, 1, 1, 1, 1, 2}[y.rng.IntN(8)]
		for range runs {
			y.now = date("2026-01-01T06:00:00Z").AddDate(0, 0, day).Add(time.Duration(y.rng.IntN(40)) * time.Second)
			y.run(t)
		}
	}
	if !slices.Equal(y.sent, y.want) {
		for i := range max(len(y.sent), len(y.want)) {
			got, want := "nothing", "nothing"
			if i < len(y.sent) {
				got = y.sent[i]
			}
			if i < len(y.want) {
				want = y.want[i]
			}
			if got != want {
				t.Fatalf("mail %d of %d is\n%s\nwant\n%s", i, len(y.want), got, want)
			}
		}
	}
	if len(y.sent) < 50 {
		t.Errorf("only %d mails in a year: nothing is tested", len(y.sent))
	}
	y.checkLedger(t)
}

// run is one run of cron, and beside it what the rules say about it.
func (y *year) run(t *testing.T) {
	t.Helper()
	y.fates = map[string]fate{}
	for p := range yearPeople {
		if y.rng.IntN(4) == 0 {
			y.fates[fmt.Sprintf("p%d@acme.example", p+1)] = fate(y.rng.IntN(int(fates)))
		}
	}
	y.expect()
	o := options()
	o.Window = audit.Window{From: y.now.Add(-quietPeriod), To: y.now, Zone: time.UTC}
	o.QuietPeriod, o.Now = quietPeriod, func() time.Time { return y.now }
	_, err := remind.New(y, y.reader, templates(t), o).Send(t.Context(), y, y, func(remind.Outcome) {})
	if err != nil && !errors.Is(err, errDied) && !errors.Is(err, errNotReady) && !errors.Is(err, remind.ErrUnavailable) {
		t.Fatalf("run at %s: %v", y.now, err)
	}
}

// expect says what a run is to do: the rules, without the program.
func (y *year) expect() {
	at := y.now
	y.gone = 0
	due := func(times []time.Time) bool { return len(times) == 0 || at.Sub(times[len(times)-1]) >= quietPeriod }
	var mails []expected
	for p := range yearPeople {
		person := fmt.Sprintf("p%d", p+1)
		var rooms []any
		var line strings.Builder
		var failed time.Time
		for room := range yearRooms {
			key := audit.Membership{RoomID: fmt.Sprintf("r%d", room+1), AccountID: person}
			if y.inactive(key, at.Add(-quietPeriod), at) && due(y.blocked[key]) {
				rooms = append(rooms, key)
				failed = audit.Later(failed, y.failed[key])
				fmt.Fprintf(&line, " %s#%d", key.RoomID, len(y.blocked[key])+1)
			}
		}
		if len(rooms) == 0 {
			continue
		}
		mails = append(mails, expected{person + "@acme.example", line.String(), failed, rooms, func() {
			for _, key := range rooms {
				y.blocked[key.(audit.Membership)] = append(y.blocked[key.(audit.Membership)], at)
			}
		}})
	}
	if !y.expectMails(mails) {
		return
	}
	mails = nil
	for manager := range yearManagers {
		inactive := 0
		for room := range yearRooms {
			for p := range yearPeople {
				id := fmt.Sprintf("r%d", room+1)
				if p != manager && y.inactive(audit.Membership{RoomID: id, AccountID: fmt.Sprintf("p%d", p+1)}, at.Add(-quietPeriod), at) {
					inactive++
					break
				}
			}
		}
		email := fmt.Sprintf("p%d@acme.example", manager+1)
		if inactive > 0 && due(y.digested[email]) {
			mails = append(mails, expected{
				email, fmt.Sprintf(" digest of %d rooms #%d", inactive, len(y.digested[email])+1), y.failed[email],
				[]any{email},
				func() { y.digested[email] = append(y.digested[email], at) },
			})
		}
	}
	y.expectMails(mails)
}

// expected is a mail that the rules ask for. block is called if it must not be
// repeated for a while.
type expected struct {
	email, line string
	failed      time.Time
	keys        []any // of y.failed
	block       func()
}

// expectMails says what becomes of mails, and whether the run goes on: those that
// failed come last.
func (y *year) expectMails(mails []expected) bool {
	slices.SortStableFunc(mails, func(a, b expected) int { return a.failed.Compare(b.failed) })
	for _, m := range mails {
		if !y.expectMail(m) {
			return false
		}
	}
	return true
}

// expectMail says what becomes of one mail, and whether the run goes on.
func (y *year) expectMail(m expected) bool {
	line := y.now.Format(time.RFC3339) + " " + m.email + m.line
	block := func() {
		m.block()
		for _, key := range m.keys {
			delete(y.failed, key)
		}
	}
	switch fate := y.fates[m.email]; fate {
	case taken:
		y.want = append(y.want, line)
		block()
	case silenced:
		y.want = append(y.want, line)
		block()
		y.gone++
		return y.gone < 2
	case refused, deferred, goneDown:
		for _, key := range m.keys {
			y.failed[key] = y.now
		}
		if fate == goneDown {
			y.gone++
			return y.gone < 2
		}
	case diesSent:
		y.want = append(y.want, line)
		block()
		return false
	case diesClaimed:
		block()
		return false
	case notReady, diesFirst:
		return false
	default:
	}
	y.gone = 0
	return true
}

func (y *year) inactive(key audit.Membership, from, to time.Time) bool {
	return !slices.ContainsFunc(y.active[key], func(at time.Time) bool { return !at.Before(from) && at.Before(to) })
}

// checkLedger compares the rows that stand for mails with the rules.
func (y *year) checkLedger(t *testing.T) {
	t.Helper()
	reminders, digests, err := y.reader.ReminderHistory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[audit.Membership][]time.Time{}
	for _, r := range slices.Backward(reminders) {
		if r.State != audit.DeliveryFailed {
			got[r.Membership] = append(got[r.Membership], r.ClaimedAt)
			if int(r.Number) != len(got[r.Membership]) {
				t.Errorf("reminder %d of %v has number %d", len(got[r.Membership]), r.Membership, r.Number)
			}
		}
	}
	if !maps.EqualFunc(got, y.blocked, slices.Equal[[]time.Time]) {
		t.Errorf("the ledger has reminders\n%v\nwant\n%v", got, y.blocked)
	}
	for key, times := range got {
		for i := range times[1:] {
			if times[i+1].Sub(times[i]) < quietPeriod {
				t.Errorf("%v was reminded at %s and %s", key, times[i], times[i+1])
			}
		}
	}
	rows := 0
	for _, d := range digests {
		if d.State != audit.DeliveryFailed {
			rows++
		}
	}
	want := 0
	for _, times := range y.digested {
		want += len(times)
	}
	if rows != want {
		t.Errorf("the ledger has %d digests, want %d", rows, want)
	}
}

// CompleteUntil implements remind.Judge.
func (y *year) CompleteUntil(context.Context) (time.Time, error) { return y.now, nil }

// Judge implements remind.Judge.
func (y *year) Judge(_ context.Context, w audit.Window) (remind.Judgement, error) {
	var rooms []remind.Room
	for i := range yearRooms {
		id := fmt.Sprintf("r%d", i+1)
		r := room(id, "Room "+id)
		r.Managers = nil
		for p := range yearPeople {
			key := audit.Membership{RoomID: id, AccountID: fmt.Sprintf("p%d", p+1)}
			if p < yearManagers {
				r.Managers = append(r.Managers, person(key.AccountID, ""))
			}
			if y.inactive(key, w.From, w.To) {
				r.Listed = append(r.Listed, member(key.AccountID, "", remind.StateQuiet))
			}
		}
		rooms = append(rooms, r)
	}
	return judgement(rooms...), nil
}

var (
	errDied     = errors.New("the run died")
	errNotReady = errors.New("the server is not ready")
)

// Ready implements remind.Mailer. Whose turn it is only the claim says, so
// that a server is not ready is told there.
func (y *year) Ready(context.Context) error { return nil }

// Abandon implements remind.Ledger.
func (y *year) Abandon(ctx context.Context, at time.Time) (int64, error) {
	return y.ledger.Abandon(ctx, at)
}

// Claim implements remind.Ledger.
func (y *year) Claim(ctx context.Context, c audit.Claim) error {
	switch y.fates[c.Email] {
	case diesFirst:
		return errDied
	case notReady:
		return errNotReady
	default:
	}
	if err := y.ledger.Claim(ctx, c); err != nil {
		return err
	}
	y.rooms = nil
	if c.Digest != nil {
		y.rooms = []string{fmt.Sprintf("digest of %d rooms #%d", c.Digest.Rooms, c.Digest.Number)}
	}
	for _, room := range c.Rooms {
		y.rooms = append(y.rooms, fmt.Sprintf("%s#%d", room.RoomID, room.Number))
	}
	if y.fates[c.Email] == diesClaimed {
		return errDied
	}
	return nil
}

// Send implements remind.Mailer.
func (y *year) Send(_ context.Context, m audit.Mail) error {
	failed := &audit.DeliveryError{Outcome: audit.DeliveryFailed, Err: errors.New("as drawn")}
	switch y.fates[m.To] {
	case refused:
		failed.Permanent = true
		return failed
	case deferred:
		return failed
	case goneDown:
		failed.Unavailable = true
		return failed
	default:
	}
	y.sent = append(y.sent, y.now.Format(time.RFC3339)+" "+m.To+" "+strings.Join(y.rooms, " "))
	if y.fates[m.To] == silenced {
		return &audit.DeliveryError{Outcome: audit.DeliveryUncertain, Unavailable: true, Err: errors.New("as drawn")}
	}
	return nil
}

// Settle implements remind.Ledger.
func (y *year) Settle(ctx context.Context, c audit.Claim, outcome audit.Delivery, reason string, at time.Time) error {
	if y.fates[c.Email] == diesSent {
		return errDied
	}
	return y.ledger.Settle(ctx, c, outcome, reason, at)
}
