package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"roompulse/internal/audit"
	"roompulse/internal/store"
	"roompulse/internal/testkit/pgtest"
)

// bookkeeping is a portal with two rooms and two people, and its ledger.
func bookkeeping(t *testing.T, url string) (*store.Store, store.Portal) {
	t.Helper()
	_, err := connect(t, url).Exec(t.Context(), `
		INSERT INTO portal (portal_id, host, created_at) VALUES (1, 'https://a.example', now()), (2, 'https://b.example', now());
		INSERT INTO room (portal_id, room_key, room_id, title, is_unresolved)
		VALUES (1, 1, '7', 'Tender', false), (1, 2, '8', 'Survey', false), (1, 3, '7', '7', true), (2, 1, '7', 'Another', false);
		INSERT INTO account (portal_id, account_key, account_id, name) VALUES (1, 1, 'ann', 'Ann'), (1, 2, 'bo', 'Bo'), (2, 1, 'ann', 'Ann')`)
	must(t, err)
	st := open(t, url)
	portal, err := st.Portal(t.Context(), "https://a.example")
	must(t, err)
	return st, portal
}

func claimOf(account, id string, rooms ...audit.ClaimedRoom) audit.Claim {
	return audit.Claim{
		MessageID: id, Email: account + "@a.example", AccountID: account, Rooms: rooms,
		Window: audit.Span{From: now.AddDate(0, 0, -30), To: now}, At: now,
	}
}

func TestLedger(t *testing.T) {
	t.Parallel()
	st, portal := bookkeeping(t, pgtest.New(t))
	ledger, err := st.OpenLedger(t.Context(), portal)
	must(t, err)
	defer ledger.Close()
	reader := st.Reader(portal)
	tender := audit.ClaimedRoom{RoomID: "7", Number: 1, Verdict: "quiet"}
	survey := audit.ClaimedRoom{RoomID: "8", Number: 1, Verdict: "never"}
	reminded := func() audit.Reminders {
		t.Helper()
		r, err := reader.Reminded(t.Context())
		must(t, err)
		return r
	}

	both := claimOf("ann", "m1", tender, survey)
	must(t, ledger.Claim(t.Context(), both))
	if r := reminded(); len(r.Members) != 2 || r.Members[audit.Membership{RoomID: "8", AccountID: "ann"}] != (audit.Reminded{Number: 1, At: now}) {
		t.Errorf("claimed: %+v", r)
	}
	// A number is claimed once, and a claim is all or nothing.
	if err := ledger.Claim(t.Context(), claimOf("ann", "m2", audit.ClaimedRoom{RoomID: "7", Number: 2, Verdict: "quiet"}, survey)); err == nil ||
		!strings.Contains(err.Error(), "in the ledger already") {
		t.Errorf("claimed twice: %v", err)
	}
	if r := reminded(); r.Members[audit.Membership{RoomID: "7", AccountID: "ann"}].Number != 1 {
		t.Errorf("half a claim: %+v", r)
	}
	// What failed is as if it had never been, and claimed again under its number.
	must(t, ledger.Settle(t.Context(), both, audit.DeliveryFailed, "550 no such user", now.Add(time.Second)))
	if r := reminded(); len(r.Members) != 2 || r.Members[audit.Membership{RoomID: "8", AccountID: "ann"}] != (audit.Reminded{FailedAt: now}) {
		t.Errorf("failed: %+v", r)
	}
	if err := ledger.Settle(t.Context(), both, audit.DeliverySent, "", now); err == nil {
		t.Error("settled twice")
	}
	again := claimOf("ann", "m3", tender)
	must(t, ledger.Claim(t.Context(), again))
	must(t, ledger.Settle(t.Context(), again, audit.DeliverySent, "", now.Add(time.Minute)))
	// Nobody can be reminded who is not there; unresolved titles and other portals are not.
	if err := ledger.Claim(t.Context(), claimOf("eve", "m4", tender)); err == nil {
		t.Error("somebody unknown is reminded")
	}

	digest := audit.Claim{
		MessageID: "d1", Email: "boss@a.example", Window: both.Window, At: now, Digest: &audit.ClaimedDigest{Number: 1, Rooms: 2, Members: 3},
	}
	must(t, ledger.Claim(t.Context(), digest))
	if err := ledger.Claim(t.Context(), digest); err == nil {
		t.Error("a digest is claimed twice")
	}
	// A run that died.
	rows, err := ledger.Abandon(t.Context(), now.Add(time.Hour))
	must(t, err)
	if r := reminded(); rows != 1 || r.Digests["boss@a.example"].Number != 1 {
		t.Errorf("%d rows abandoned, %+v", rows, r)
	}

	reminders, digests, err := reader.ReminderHistory(t.Context())
	must(t, err)
	var states []string
	for _, r := range reminders {
		states = append(states, r.RoomID+" "+string(r.State)+" "+r.Error)
	}
	if want := []string{"7 sent ", "8 failed 550 no such user"}; !slices.Equal(states, want) {
		t.Errorf("reminders %q, want %q", states, want)
	}
	if r := reminders[0]; r.Attempts != 2 || r.MessageID != "m3" || r.Title != "Tender" || !r.SettledAt.Equal(now.Add(time.Minute)) || !r.CameBackAt.IsZero() {
		t.Errorf("reminder %+v", r)
	}
	if len(digests) != 1 || digests[0].State != audit.DeliveryUncertain || digests[0].Error == "" || digests[0].Members != 3 {
		t.Errorf("digests %+v", digests)
	}
}

func TestLedgerIsLocked(t *testing.T) {
	t.Parallel()
	st, portal := bookkeeping(t, pgtest.New(t))
	ledger, err := st.OpenLedger(t.Context(), portal)
	must(t, err)
	if _, err := st.OpenLedger(t.Context(), portal); !errors.Is(err, store.ErrLocked) {
		t.Errorf("a second ledger: %v", err)
	}
	// Neither another portal nor a sync of this one is in its way.
	other, err := st.Portal(t.Context(), "https://b.example")
	must(t, err)
	second, err := st.OpenLedger(t.Context(), other)
	must(t, err)
	second.Close()
	w, err := st.OpenWriter(t.Context(), portal.Host, owner("o"), now)
	must(t, err)
	w.Close()
	ledger.Close()
	third, err := st.OpenLedger(t.Context(), portal)
	must(t, err)
	third.Close()
}

func TestLedgerWithoutItsConnection(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	st, portal := bookkeeping(t, url)
	ledger, err := st.OpenLedger(t.Context(), portal)
	must(t, err)
	defer ledger.Close()
	_, err = connect(t, url).Exec(t.Context(), `
		SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7302
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	must(t, err)
	if err := ledger.Claim(t.Context(), claimOf("ann", "m1", audit.ClaimedRoom{RoomID: "7", Number: 1, Verdict: "quiet"})); err == nil {
		t.Error("a claim without the lock")
	}
}

// TestCameBack: the first counted event after the reminder, in the same room.
func TestCameBack(t *testing.T) {
	t.Parallel()
	// A row of room_day in November 2026. The reminder is of the 20th at noon.
	type row struct {
		room, account, day int
		class, first, last string
	}
	for name, test := range map[string]struct {
		rows []row
		want string // empty: not at all
	}{
		"no":                            {},
		"before":                        {rows: []row{{1, 1, 19, "edit", "10:00", "11:00"}, {1, 1, 20, "edit", "10:00", "12:00"}}},
		"the same day, later":           {rows: []row{{1, 1, 20, "view", "12:01", "13:00"}}, want: "2026-11-20T12:01:00Z"},
		"the same day, before and then": {rows: []row{{1, 1, 20, "manage", "10:00", "13:00"}}, want: "2026-11-20T13:00:00Z"},
		"days later": {
			rows: []row{{1, 1, 20, "edit", "10:00", "11:00"}, {1, 1, 23, "view", "09:00", "10:00"}, {1, 1, 22, "edit", "09:00", "10:00"}},
			want: "2026-11-22T09:00:00Z",
		},
		"in another room": {rows: []row{{2, 1, 22, "edit", "09:00", "10:00"}}},
		"somebody else":   {rows: []row{{1, 2, 22, "edit", "09:00", "10:00"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.New(t)
			st, portal := bookkeeping(t, url)
			conn := connect(t, url)
			for _, r := range test.rows {
				_, err := conn.Exec(t.Context(), fmt.Sprintf(`
					INSERT INTO room_day (portal_id, room_key, account_key, day, %[1]ss, %[1]s_first_at, %[1]s_last_at)
					VALUES (1, %[2]d, %[3]d, '2026-11-%[4]d', 2, '2026-11-%[4]dT%[5]sZ', '2026-11-%[4]dT%[6]sZ')`,
					r.class, r.room, r.account, r.day, r.first, r.last))
				must(t, err)
			}
			ledger, err := st.OpenLedger(t.Context(), portal)
			must(t, err)
			defer ledger.Close()
			must(t, ledger.Claim(t.Context(), claimOf("ann", "m1", audit.ClaimedRoom{RoomID: "7", Number: 1, Verdict: "quiet"})))
			reminders, _, err := st.Reader(portal).ReminderHistory(t.Context())
			must(t, err)
			got := ""
			if at := reminders[0].CameBackAt; !at.IsZero() {
				got = at.Format(time.RFC3339)
			}
			if got != test.want {
				t.Errorf("came back at %q, want %q", got, test.want)
			}
		})
	}
}
