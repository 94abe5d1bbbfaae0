// Package bigportal fills a warehouse with the events of an invented portal, as
// many as one likes: straight by SQL, at about the speed of the disk. Where what the events say matters,
// internal/demoportal is the portal to take.
package bigportal

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// Host is the portal's.
const Host = "https://big.example.org"

// RoomID is the id of the room of a number, from 1 on.
func RoomID(number int) string { return strconv.Itoa(100_000 + number) }

// Config says how big the portal is. The same Config always makes the same events.
type Config struct {
	Rooms       int
	Memberships int // spread evenly over the rooms; three of ten never do anything
	People      int
	Events      int
	// From and Days are the time that the events are spread over, evenly: bursts
	// of about ten by one person in one room, within an hour.
	From time.Time
	Days int
}

// windowEvents is how many events one window of sync holds: windows are loaded newest
// first, each in rising id.
const windowEvents = 2000

// Load writes the portal, its dimensions, members and events into an empty,
// migrated database. It writes no rollups: verify --repair does.
func Load(ctx context.Context, conn *pgx.Conn, c Config) error {
	for _, step := range []struct {
		name, sql string
		args      []any
	}{
		{"portal", portalSQL, []any{Host, c.From, c.Days, max(1, c.Events/windowEvents)}},
		{"actions", kindsSQL, nil},
		{"people", peopleSQL, []any{c.People}},
		{"clients", clientsSQL, []any{c.People}},
		{"rooms", roomsSQL, []any{c.Rooms, c.From}},
		{"pages", pagesSQL, []any{c.Rooms, Host}},
		{"contexts", contextsSQL, []any{c.Rooms}},
		{"members", membersSQL, []any{c.Rooms, c.Memberships, c.People}},
		{"function", randomSQL, nil},
	} {
		if _, err := conn.Exec(ctx, step.sql, step.args...); err != nil {
			return fmt.Errorf("load %s: %w", step.name, err)
		}
	}
	// One statement for so many windows: some seconds of work, which an interrupted load loses.
	const windows = 500
	for last := (c.Events + windowEvents - 1) / windowEvents; last > 0; last -= windows {
		_, err := conn.Exec(ctx, eventsSQL, max(0, last-windows), last-1, windowEvents, c.Events, c.From, c.Days, c.Rooms, c.Memberships, c.People)
		if err != nil {
			return fmt.Errorf("load events: %w", err)
		}
	}
	_, err := conn.Exec(ctx, "DROP FUNCTION pg_temp.random_of(bigint, bigint)")
	if err != nil {
		return err
	}
	// As after a sync of hours, during which autovacuum came by.
	_, err = conn.Exec(ctx, "VACUUM (ANALYZE) audit_event, account, kind, client, page, context, room, room_member, sync_window")
	return err
}

const portalSQL = `
WITH added AS (
	INSERT INTO portal (portal_id, host, owner_account_id, floor_at, created_at)
	VALUES (1, $1, 'owner', $2::timestamptz, $2::timestamptz)
),
completed AS (
	INSERT INTO sync_complete (portal_id, spans)
	VALUES (1, tstzmultirange(tstzrange($2::timestamptz, $2::timestamptz + $3::integer * INTERVAL '1 day')))
)
INSERT INTO sync_window (portal_id, window_from, window_to, read_at, checked_at, rows, run_id)
SELECT 1, w.begins, w.ends, w.until, w.until AS checked_at, 0, 1
FROM (
	SELECT
		$2::timestamptz + i * $3::integer * INTERVAL '1 day' / $4::integer AS begins,
		$2::timestamptz + (i + 1) * $3::integer * INTERVAL '1 day' / $4::integer AS ends,
		$2::timestamptz + $3::integer * INTERVAL '1 day' AS until
	FROM generate_series(0, $4::integer - 1) AS i
) AS w`

// Of twenty events six are views, thirteen are edits and one manages.
const kindsSQL = `
INSERT INTO kind (portal_id, kind_key, fingerprint, action_id, type, product, location, entries)
SELECT 1, row_number() OVER (ORDER BY class, action_id), md5('kind ' || action_id)::uuid, action_id, 1, 2, 1, '{1}'
FROM (
	(SELECT class, action_id FROM action WHERE class = 1 ORDER BY action_id LIMIT 6) UNION ALL
	(SELECT class, action_id FROM action WHERE class = 2 ORDER BY action_id LIMIT 13) UNION ALL
	(SELECT class, action_id FROM action WHERE class = 3 ORDER BY action_id LIMIT 1)
) AS used`

const peopleSQL = `
INSERT INTO account (portal_id, account_key, account_id, name, email, status, event_name)
SELECT 1, i, md5('account ' || i)::uuid::text, 'First' || i || ' Last' || i, 'user' || i || '@example.org', 1, 'First' || i || ' Last' || i
FROM generate_series(1, $1::integer) AS i`

const clientsSQL = `
INSERT INTO client (portal_id, client_key, fingerprint, ip, country, city, browser, platform)
SELECT 1, i, md5('client ' || i)::uuid, '198.' || i / 65025 || '.' || i / 255 % 255 || '.' || i % 255, 'Germany', 'Berlin', 'Chrome 14' || i % 8, 'Windows 10'
FROM generate_series(1, 2 * $1::integer) AS i`

const roomsSQL = `
INSERT INTO room (portal_id, room_key, room_id, title, room_type, created_at, listed_at, members_since, members_at)
SELECT 1, i, 100000 + i, 'Project room number ' || i, 2, $2, $2, $2, $2
FROM generate_series(1, $1::integer) AS i`

const pagesSQL = `
INSERT INTO page (portal_id, page_key, fingerprint, url)
SELECT 1, i, md5('page ' || i)::uuid, $2 || '/rooms/shared/' || 100000 + i || '/filter'
FROM generate_series(1, $1::integer) AS i`

const contextsSQL = `
INSERT INTO context (portal_id, context_key, fingerprint, context, title)
SELECT 1, i, md5('context ' || i)::uuid, 'Rooms: Project room number ' || i, 'Project room number ' || i
FROM generate_series(1, $1::integer) AS i`

// Membership m is that of room m % rooms; the low numbers, spread over all rooms, are the busy ones.
const membersSQL = `
INSERT INTO room_member (portal_id, room_key, account_key, valid_from, joined_at, joined_after, access)
SELECT 1, m % $1 + 1, (m % $1 * 7 + m / $1 * 499) % $3 + 1, '-infinity', '-infinity', '-infinity', 10
FROM generate_series(0, $2::integer - 1) AS m
ON CONFLICT DO NOTHING`

// random_of gives a number in [0, 1) that depends on its arguments alone.
const randomSQL = `
CREATE FUNCTION pg_temp.random_of(n bigint, seed bigint) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashint8extended(n, seed) & 1073741823) / 1073741824.0::double precision`

// One event in twenty was written late, after events that are younger by up to a minute. One in seven has no room; six of ten of the others have been confirmed by a log.
const eventsSQL = `
INSERT INTO audit_event (
	portal_id, run_id, event_id, occurred_at, account_key, kind_key, client_key,
	page_key, context_key, room_key, class, room_source, target, description
)
SELECT
	1, 1, e.id,
	$5::timestamptz + make_interval(secs => greatest(0, e.at - CASE WHEN pg_temp.random_of(e.id, 1) < 0.05 THEN hashint8extended(e.id, 10) & 63 ELSE 0 END)::double precision),
	e.account, e.kind, e.account * 2 - (hashint8extended(e.id, 2) & 1),
	e.room AS page_key, e.room AS context_key, e.room AS room_key, e.class,
	CASE WHEN e.room IS NULL THEN 0 WHEN pg_temp.random_of(e.id, 3) < 0.6 THEN 3 ELSE 6 END,
	7000000 + (hashint8extended(e.id, 4) & 1048575),
	'Document number ' || (hashint8extended(e.id, 5) & 1048575) || '.docx opened for editing'
FROM (
	SELECT
		m.id, m.at, (m.member % $7 * 7 + m.member / $7 * 499) % $9 + 1 AS account,
		CASE WHEN pg_temp.random_of(m.id, 6) < 0.86 THEN m.member % $7 + 1 END AS room,
		k.keys[m.kind] AS kind, k.classes[m.kind] AS class
	FROM (
		SELECT
			t.id, t.at, floor(pg_temp.random_of(t.id, 9) * 20)::integer + 1 AS kind,
			floor(power(pg_temp.random_of(
				t.at / 3600 * 1000000 + floor(pg_temp.random_of(t.id, 7) * greatest(1, $4 / ($6 * 240.0)))::bigint, 8
			), 2.5) * $8 * 0.7)::integer AS member
		FROM (
			SELECT w.n + 1 AS id, w.n * $6 * 86400 / $4 AS at
			FROM (
				SELECT ($2::bigint - i / $3::integer) * $3 + i % $3 AS n
				FROM generate_series(0, ($2::integer - $1::integer + 1) * $3 - 1) AS i
			) AS w
			WHERE w.n < $4::integer
		) AS t
	) AS m
	-- A join with more rows than this one would undo the order of windows.
	CROSS JOIN (
		SELECT array_agg(k.kind_key ORDER BY k.kind_key) AS keys, array_agg(a.class ORDER BY k.kind_key) AS classes
		FROM kind AS k INNER JOIN action AS a ON a.action_id = k.action_id
	) AS k
) AS e`
