package analytics_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"roompulse/internal/audit"
	"roompulse/internal/demoportal"
	"roompulse/internal/demoportal/world"
	"roompulse/internal/demoportal/worldgen"
	"roompulse/internal/docspace"
	"roompulse/internal/ingest"
	"roompulse/internal/store"
	"roompulse/internal/testkit/bigportal"
	"roompulse/internal/testkit/pgtest"
)

// now is when the demo portal was synced.
var now = time.Date(2026, 11, 20, 17, 0, 0, 0, time.UTC)

// event is a row of the audit trail with what it refers to, read past the views.
type event struct {
	ID                       int64
	At                       time.Time
	Account, Name            string
	ActionID                 int32
	Action, Type, Country    *string
	Class                    audit.Class
	Room, Title, Unresolved  *string
	Source                   int16
	Target, Description, URL *string
}

func (e event) day() time.Time { return e.At.Truncate(24 * time.Hour) }

// counts reports whether the event is activity in a room.
func (e event) counts() bool { return e.Class.Counts() && e.Room != nil }

// warehouse is the demo portal's, as analysts and as its owner see it.
type warehouse struct {
	portal  string
	world   *world.World // what really happened
	owner   *pgx.Conn
	analyst *pgx.Conn
	reader  *store.Reader
	events  []event // by id
	// rooms and members are those of today, with what members ever did.
	rooms   []audit.RoomFacts
	members []audit.MemberFacts
	room    string // the id of one whose members come through a group, too
}

// newWarehouse syncs the demo portal, and adds what it does not have: gaps, late events, reminders.
func newWarehouse(t *testing.T) *warehouse {
	t.Helper()
	demo := worldgen.New(worldgen.Config{Seed: 7, Events: 4000, Rooms: 14})
	portal := httptest.NewServer(demoportal.New(demo, demoportal.Options{Now: func() time.Time { return now }}))
	t.Cleanup(portal.Close)
	url := pgtest.New(t)
	st := openStore(t, url)
	discard := slog.New(slog.DiscardHandler)
	client, err := docspace.New(docspace.Config{Host: portal.URL, Key: demoportal.DefaultKey, Logger: discard})
	must(t, err)
	w, err := st.OpenWriter(t.Context(), client.BaseURL(), func(context.Context) (string, error) { return demo.Owner().ID, nil }, now)
	must(t, err)
	_, err = ingest.New(client, w, ingest.Options{Version: "test", Parallel: 8, Logger: discard, Now: func() time.Time { return now }}).Run(t.Context())
	w.Close()
	must(t, err)

	h := &warehouse{portal: portal.URL, world: demo, owner: connect(t, url), analyst: asAnalyst(t, url)}
	for _, statement := range []string{
		`
		INSERT INTO sync_gap (portal_id, gap_id, gap_from, gap_to, is_lost, cause, found_at, tried_at, accepted_at, accept_reason) VALUES
			(1, 1, '2025-03-01', '2025-03-02', true, 'the portal was restored', '2026-01-01', '2026-01-01', '2026-01-02', 'nobody worked'),
			(1, 2, '2025-04-01 08:00', '2025-04-01 08:00:01', false, 'the portal would not list it', '2026-01-01', '2026-01-01', NULL, NULL),
			(1, 3, '2025-05-01', '2025-05-02', false, 'closed since', '2026-01-01', '2026-01-01', NULL, NULL)`, `
		UPDATE sync_gap SET closed_at = '2026-01-03' WHERE gap_id = 3`, `
		INSERT INTO sync_run (portal_id, run_id, version, started_at, outcome, events_new, events_late, max_late_seconds) VALUES
			(1, 101, 'test', '2026-10-02 10:00+00', 'done', 12, 0, 0),
			(1, 102, 'test', '2026-10-03 10:00+00', 'done', 40, 3, 4000),
			(1, 103, 'test', '2026-10-01 10:00+00', 'done', 7, 1, 90000)`, `
		INSERT INTO reminder (portal_id, room_key, account_key, number, state, verdict, email, message_id, window_from, window_to, claimed_at)
		SELECT m.portal_id, m.room_key, m.account_key, n.number, CASE WHEN m.account_key % 5 = 0 THEN 'failed' ELSE 'sent' END, 'quiet', 'x@example.org',
			m.account_key || '-' || n.number, '2026-08-01', '2026-09-01', timestamptz '2026-09-01 10:30+00' + n.number * INTERVAL '20 days'
		FROM room_member AS m CROSS JOIN generate_series(1, 2) AS n (number)
		WHERE m.valid_to = 'infinity' AND (n.number = 1 OR m.account_key % 2 = 0)`,
		"VACUUM (ANALYZE)",
	} {
		_, err := h.owner.Exec(t.Context(), "SET timezone = 'UTC'")
		must(t, err)
		_, err = h.owner.Exec(t.Context(), statement)
		must(t, err)
	}

	p, err := st.Portal(t.Context(), h.portal)
	must(t, err)
	h.reader = st.Reader(p)
	rows, err := h.owner.Query(t.Context(), `
		SELECT
			e.event_id, e.occurred_at, a.account_id, a.name, k.action_id, n.name, n.type, nullif(c.country, ''), e.class,
			CASE WHEN NOT r.is_unresolved THEN r.room_id END, CASE WHEN NOT r.is_unresolved THEN r.title END,
			CASE WHEN r.is_unresolved THEN r.room_id END, e.room_source, e.target, e.description, g.url
		FROM audit_event AS e
		JOIN account AS a USING (portal_id, account_key)
		JOIN kind AS k USING (portal_id, kind_key)
		JOIN action AS n USING (action_id)
		JOIN client AS c USING (portal_id, client_key)
		LEFT JOIN page AS g USING (portal_id, page_key)
		LEFT JOIN room AS r USING (portal_id, room_key)
		ORDER BY e.event_id`)
	must(t, err)
	h.events, err = pgx.CollectRows(rows, pgx.RowToStructByPos[event])
	must(t, err)
	for i := range h.events {
		h.events[i].At = h.events[i].At.UTC()
	}
	facts, err := h.reader.InactiveFacts(t.Context(), audit.Window{From: now.AddDate(-2, 0, 0), To: now.Add(-3 * time.Minute), Zone: time.UTC}, nil, audit.FilterAny, 0)
	must(t, err)
	h.rooms, h.members = facts.Rooms, facts.Members
	h.room = list[string](t, h.owner, `
		SELECT r.room_id
		FROM room AS r JOIN room_group AS v USING (portal_id, room_key) JOIN group_member AS m USING (portal_id, group_key)
		WHERE v.valid_from <= $1 AND v.valid_to > $1
		GROUP BY r.room_id ORDER BY count(*) DESC, r.room_id LIMIT 1`, at)[0]
	return h
}

// liveRooms are those neither archived nor deleted.
func (h *warehouse) liveRooms() map[string]audit.RoomFacts {
	live := make(map[string]audit.RoomFacts)
	for _, r := range h.rooms {
		if !r.Archived && r.Deleted.IsZero() {
			live[r.ID] = r
		}
	}
	return live
}

// between are the events of [from, to).
func (h *warehouse) between(from, to time.Time) (events []event) {
	for _, e := range h.events {
		if !e.At.Before(from) && e.At.Before(to) {
			events = append(events, e)
		}
	}
	return events
}

// newBigWarehouse has so many events that to read them all is the wrong plan.
func newBigWarehouse(t *testing.T) (portal string, analyst *pgx.Conn) {
	t.Helper()
	url := pgtest.New(t)
	owner := connect(t, url)
	must(t, bigportal.Load(t.Context(), owner, bigportal.Config{
		Rooms: 40, Memberships: 400, People: 100, Events: 40_000, Days: 100, From: time.Date(2026, 8, 12, 0, 0, 0, 0, time.UTC),
	}))
	st := openStore(t, url)
	w, err := st.OpenWriter(t.Context(), bigportal.Host, func(context.Context) (string, error) { return "owner", nil }, now)
	must(t, err)
	_, err = w.Repair(t.Context(), now, func(time.Time) {})
	w.Close()
	must(t, err)
	_, err = owner.Exec(t.Context(), "VACUUM (ANALYZE)")
	must(t, err)
	return bigportal.Host, asAnalyst(t, url)
}
