package ingest_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"roompulse/internal/audit"
	"roompulse/internal/demoportal"
	"roompulse/internal/demoportal/world"
	"roompulse/internal/docspace"
	"roompulse/internal/ingest"
	"roompulse/internal/store"
	"roompulse/internal/testkit/pgtest"
)

// TestMain makes the test binary a sync as well, to be killed.
func TestMain(m *testing.M) {
	if os.Getenv(processVariable) != "" {
		os.Exit(syncProcess())
	}
	pgtest.Main(m)
}

// harness is a simulated portal, a warehouse, and what joins them.
type harness struct {
	now    time.Time     // of the portal
	drift  atomic.Int64  // how far the portal's clock has gone on within a run, a time.Duration
	skew   time.Duration // of this machine's clock
	world  *world.World
	server *httptest.Server
	portal *demoportal.Portal
	client *docspace.Client
	// log changes what the portal's logs of rooms answer, nil if it does not.
	log   func(audit.LogPage, error) (audit.LogPage, error)
	store *store.Store
	conn  *pgx.Conn // to look behind the store's back
	owner string
}

func newHarness(t *testing.T, w *world.World, now time.Time) *harness {
	t.Helper()
	h := &harness{now: now, world: w, owner: w.Owner().ID}
	h.portal = demoportal.New(w, demoportal.Options{Now: func() time.Time { return h.now.Add(time.Duration(h.drift.Load())) }})
	h.server = httptest.NewServer(h.portal)
	t.Cleanup(h.server.Close)
	h.client = newClient(t, h.server.URL)
	url := pgtest.New(t)
	var err error
	h.store, err = store.Open(t.Context(), url)
	must(t, err)
	t.Cleanup(h.store.Close)
	h.conn, err = pgx.Connect(t.Context(), url)
	must(t, err)
	t.Cleanup(func() { must(t, h.conn.Close(context.WithoutCancel(t.Context()))) })
	return h
}

func newClient(t *testing.T, host string) *docspace.Client {
	t.Helper()
	client, err := docspace.New(docspace.Config{
		Host: host, Key: demoportal.DefaultKey, Logger: discard, FirstRetry: time.Millisecond, Timeout: 5 * time.Second,
	})
	must(t, err)
	return client
}

var discard = slog.New(slog.DiscardHandler)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sync runs one sync and returns what it did.
func (h *harness) sync(t *testing.T, options ingest.Options) (audit.RunResult, error) {
	t.Helper()
	var source ingest.Source = h.client
	if h.log != nil {
		source = &otherLogs{h.client, h.log}
	}
	return h.syncFrom(t, source, options)
}

// syncFrom runs one sync with a portal that answers otherwise than the harness's.
func (h *harness) syncFrom(t *testing.T, source ingest.Source, options ingest.Options) (audit.RunResult, error) {
	t.Helper()
	return h.syncIn(t.Context(), t, source, options)
}

// syncIn syncs until ctx ends.
func (h *harness) syncIn(ctx context.Context, t *testing.T, source ingest.Source, options ingest.Options) (audit.RunResult, error) {
	t.Helper()
	options.Version, options.Logger, options.Now = "test", discard, func() time.Time { return h.now.Add(h.skew) }
	if options.Parallel == 0 {
		options.Parallel = 4
	}
	w, err := h.store.OpenWriter(t.Context(), h.client.BaseURL(), func(context.Context) (string, error) { return h.owner, nil }, h.now)
	must(t, err)
	defer w.Close()
	return ingest.New(source, w, options).Run(ctx)
}

// otherLogs is a portal whose logs of rooms are not what DocSpace's are.
type otherLogs struct {
	*docspace.Client
	change func(audit.LogPage, error) (audit.LogPage, error)
}

func (o *otherLogs) RoomLog(ctx context.Context, id string, from, to time.Time, start, count int) (audit.LogPage, error) {
	return o.change(o.Client.RoomLog(ctx, id, from, to, start, count))
}

func (h *harness) mustSync(t *testing.T) audit.RunResult {
	t.Helper()
	result, err := h.sync(t, ingest.Options{})
	must(t, err)
	return result
}

// checkTruth compares the warehouse with what really happened in [since, until).
func (h *harness) checkTruth(t *testing.T, since, until time.Time) {
	t.Helper()
	h.checkTruthBy(t, world.ByTarget|world.ByTitle, since, until)
}

// checkTruthBy is checkTruth, with the ways by which an event's room must have been found.
func (h *harness) checkTruthBy(t *testing.T, ways world.Evidence, since, until time.Time) {
	t.Helper()
	type heldEvent struct {
		at     time.Time
		actor  string
		action int32
		room   string
		source int16
	}
	held := map[int32]heldEvent{}
	rows, err := h.conn.Query(t.Context(), `
		SELECT e.event_id, e.occurred_at, a.account_id, k.action_id,
			coalesce(CASE WHEN NOT r.is_unresolved THEN r.room_id END, ''), e.room_source
		FROM audit_event AS e
		JOIN account AS a USING (portal_id, account_key)
		JOIN kind AS k USING (portal_id, kind_key)
		LEFT JOIN room AS r USING (portal_id, room_key)
		WHERE e.occurred_at >= $1 AND e.occurred_at < $2`, since, until)
	must(t, err)
	for rows.Next() {
		var id int32
		var e heldEvent
		must(t, rows.Scan(&id, &e.at, &e.actor, &e.action, &e.room, &e.source))
		held[id] = e
	}
	must(t, rows.Err())

	problems, attributable := 0, 0
	problem := func(format string, args ...any) {
		if problems++; problems <= 10 {
			t.Errorf(format, args...)
		}
	}
	for fact := range h.world.Truth(h.now).Events() {
		if !fact.Listed || fact.Date.Before(since) || !fact.Date.Before(until) {
			continue
		}
		e, ok := held[fact.ID]
		if !ok {
			problem("event %d (%s at %s) is missing", fact.ID, fact.Kind.Name, fact.Date)
			continue
		}
		delete(held, fact.ID)
		room := ""
		if fact.Room != nil {
			room = fact.Room.ID
		}
		switch {
		case !e.at.Equal(fact.Date):
			problem("event %d is dated %s, not %s", fact.ID, e.at, fact.Date)
		case e.actor != fact.Actor.ID:
			problem("event %d is of %s, not %s", fact.ID, e.actor, fact.Actor.ID)
		case e.room != "" && e.room != room:
			problem("event %d (%s, source %d) is in room %s, not in %q", fact.ID, fact.Kind.Name, e.source, e.room, room)
		}
		if fact.Evidence&ways != 0 {
			attributable++
			if e.room == "" {
				problem("event %d (%s in %q, evidence %b) has no room", fact.ID, fact.Kind.Name, fact.RoomTitle, fact.Evidence)
			}
		}
	}
	for id, e := range held {
		problem("event %d of %s is held and has never happened", id, e.at)
	}
	if problems > 10 {
		t.Errorf("and %d more", problems-10)
	}
}

// rollups are what the rollups are counted from raw events by.
var rollups = map[string]string{
	"room_day": `
		SELECT portal_id, room_key, account_key, (occurred_at AT TIME ZONE 'UTC')::date AS day,
			nullif(count(*) FILTER (WHERE class = 1), 0)::integer AS views,
			nullif(count(*) FILTER (WHERE class = 2), 0)::integer AS edits,
			nullif(count(*) FILTER (WHERE class = 3), 0)::integer AS manages,
			min(occurred_at) FILTER (WHERE class = 1) AS view_first_at, max(occurred_at) FILTER (WHERE class = 1) AS view_last_at,
			min(occurred_at) FILTER (WHERE class = 2) AS edit_first_at, max(occurred_at) FILTER (WHERE class = 2) AS edit_last_at,
			min(occurred_at) FILTER (WHERE class = 3) AS manage_first_at, max(occurred_at) FILTER (WHERE class = 3) AS manage_last_at
		FROM audit_event WHERE room_key IS NOT NULL AND class > 0 GROUP BY 1, 2, 3, 4`,
	"room_last": `
		SELECT portal_id, room_key, account_key,
			max(occurred_at) FILTER (WHERE class = 1) AS view_last_at,
			max(occurred_at) FILTER (WHERE class = 2) AS edit_last_at,
			max(occurred_at) FILTER (WHERE class = 3) AS manage_last_at
		FROM audit_event WHERE room_key IS NOT NULL AND class > 0 GROUP BY 1, 2, 3`,
	"account_day": `
		SELECT portal_id, account_key, (occurred_at AT TIME ZONE 'UTC')::date AS day, count(*)::integer AS events, max(occurred_at) AS last_at
		FROM audit_event WHERE class >= 0 GROUP BY 1, 2, 3`,
	"account_last": `
		SELECT portal_id, account_key, max(occurred_at) AS last_at
		FROM audit_event WHERE class >= 0 GROUP BY 1, 2`,
	"event_hour": `
		SELECT portal_id, date_bin('1 hour', occurred_at, 'epoch') AS hour, room_source, class, count(*)::integer AS events
		FROM audit_event GROUP BY 1, 2, 3, 4`,
	"event_day": `
		SELECT portal_id, (occurred_at AT TIME ZONE 'UTC')::date AS day, room_source, class, count(*)::integer AS events
		FROM audit_event GROUP BY 1, 2, 3, 4`,
}

// checkRollups recounts the rollups from raw events.
func (h *harness) checkRollups(t *testing.T) {
	t.Helper()
	for name, query := range rollups {
		var differences int
		err := h.conn.QueryRow(t.Context(), `
			WITH recount AS (`+query+`)
			SELECT count(*) FROM (
				(SELECT * FROM recount EXCEPT SELECT * FROM `+name+`) UNION ALL (SELECT * FROM `+name+` EXCEPT SELECT * FROM recount)
			) AS d`).Scan(&differences)
		must(t, err)
		if differences > 0 {
			t.Errorf("%s differs from a recount in %d rows", name, differences)
		}
	}
}

// checkVerify lets the warehouse prove itself.
func (h *harness) checkVerify(t *testing.T) {
	t.Helper()
	portal, err := h.store.Portal(t.Context(), h.client.BaseURL())
	must(t, err)
	found, err := h.store.Reader(portal).Verify(t.Context(), func(time.Time) {})
	must(t, err)
	if len(found.Findings) > 0 {
		t.Errorf("verify found %+v", found.Findings)
	}
}
