-- +goose Up

-- What analysts read. Names, types and meanings of these columns stay: a change
-- that would break a query is made in a new view, and the comment of the old one says
-- which. The tables behind them may change at any time.
-- Every view is a plain select that the planner sees through: dimensions are
-- joined LEFT, so that those whose columns nobody asks for are not even read.
-- Numbers of DocSpace and of roompulse are words here, and surrogate keys stay inside.

CREATE SCHEMA analytics;

COMMENT ON SCHEMA analytics IS 'The warehouse for analysts: views whose names and columns stay. All times are timestamptz, all days UTC days. A portal is its base URL, and ids are those of DocSpace, as text; they are unique only together with the portal';

-- Finds a span of time where a query says no more than occurred_at >= t, as analysts write
-- it; the product's own queries name the hours. Events lie by and large in the
-- order of time. Of 16 pages the index keeps several intervals: a few rows that updates
-- have moved there do not make the pages answer to every question. A third of a byte an event.
CREATE INDEX audit_event_occurred_at ON audit_event
USING brin (occurred_at timestamptz_minmax_multi_ops) WITH (pages_per_range = 16, autosummarize = on);

CREATE VIEW analytics.portals AS
SELECT
    p.host AS portal,
    p.owner_account_id,
    p.created_at AS first_synced_at,
    r.last_synced_at,
    o.oldest_event_at,
    CASE
        WHEN p.floor_is_oldest THEN greatest(c.complete_from, o.oldest_event_at)
        ELSE c.complete_from
    END AS complete_from,
    upper(s.spans) AS complete_until
FROM portal AS p
LEFT JOIN (
    SELECT e.portal_id, min(e.occurred_at) AS oldest_event_at
    FROM (SELECT h.portal_id, min(h.hour) AS hour FROM event_hour AS h GROUP BY h.portal_id) AS f
    INNER JOIN audit_event AS e ON e.portal_id = f.portal_id AND date_bin('1 hour', e.occurred_at, 'epoch') = f.hour
    GROUP BY e.portal_id
) AS o ON o.portal_id = p.portal_id
LEFT JOIN sync_complete AS s ON s.portal_id = p.portal_id
LEFT JOIN (
    SELECT g.portal_id, range_agg(tstzrange(g.gap_from, g.gap_to)) AS accepted
    FROM sync_gap AS g
    WHERE g.closed_at IS NULL AND g.accepted_at IS NOT NULL
    GROUP BY g.portal_id
) AS a ON a.portal_id = p.portal_id
LEFT JOIN LATERAL (
    -- The last span of what is complete, accepted gaps bridged; it begins where something in it is complete.
    SELECT lower(s.spans * tstzmultirange(u.span)) AS complete_from
    FROM unnest((s.spans + coalesce(a.accepted, '{}')) * tstzmultirange(tstzrange(NULL, upper(s.spans)))) AS u (span)
    ORDER BY u.span DESC
    LIMIT 1
) AS c ON true
LEFT JOIN (
    SELECT s.portal_id, max(s.finished_at) AS last_synced_at
    FROM sync_run AS s
    WHERE s.outcome IN ('done', 'incomplete')
    GROUP BY s.portal_id
) AS r ON r.portal_id = p.portal_id;

COMMENT ON VIEW analytics.portals IS 'One row per portal: the portals of the warehouse, and since when and until when everything about them is known. Ask it before any other: what happened outside [complete_from, complete_until) may be missing';
COMMENT ON COLUMN analytics.portals.portal IS 'Base URL of the portal, such as https://acme.onlyoffice.com; every view has it';
COMMENT ON COLUMN analytics.portals.owner_account_id IS 'Account of the portal''s owner; null until it is known';
COMMENT ON COLUMN analytics.portals.first_synced_at IS 'When roompulse first synced the portal, by its own clock';
COMMENT ON COLUMN analytics.portals.last_synced_at IS 'When the last sync that came to its end ended, by the portal''s clock; null if none has';
COMMENT ON COLUMN analytics.portals.oldest_event_at IS 'Time of the oldest event held; null if there is none';
COMMENT ON COLUMN analytics.portals.complete_from IS 'Since when all events up to complete_until are held, gaps that an administrator accepted apart; null if nothing is complete yet. The complete_from of reports';
COMMENT ON COLUMN analytics.portals.complete_until IS 'End of what is complete, not included; null if nothing is. The complete_until of reports';

CREATE VIEW analytics.actions AS
SELECT
    a.action_id,
    a.name AS action,
    CASE a.class WHEN 0 THEN 'none' WHEN 1 THEN 'view' WHEN 2 THEN 'edit' WHEN 3 THEN 'manage' END AS class,
    a.type AS action_type,
    a.product,
    a.location,
    a.entries AS entry_types,
    a.is_known
FROM action AS a;

COMMENT ON VIEW analytics.actions IS 'One row per kind of act: what DocSpace''s audit trail may hold, and what roompulse counts it as';
COMMENT ON COLUMN analytics.actions.action_id IS 'DocSpace''s number of the action';
COMMENT ON COLUMN analytics.actions.action IS 'DocSpace''s name of the action, such as FileOpenedForChange; null if roompulse does not know it';
COMMENT ON COLUMN analytics.actions.class IS 'What such an act usually counts as: none, view, edit or manage; events.class says what one event does';
COMMENT ON COLUMN analytics.actions.action_type IS 'Create, Update, Delete, Download, Move, ...; null if unknown';
COMMENT ON COLUMN analytics.actions.product IS 'Part of DocSpace: Documents, Contacts, Settings, Login; null if unknown, or if the audit trail never lists the action';
COMMENT ON COLUMN analytics.actions.location IS 'Part of the product: Files, Folders, Rooms, Agents, ...; null if unknown';
COMMENT ON COLUMN analytics.actions.entry_types IS 'What such acts concern: File, Folder, Room, User, ...; empty if unknown';
COMMENT ON COLUMN analytics.actions.is_known IS 'False: a portal listed the number, and this version of roompulse has no name for it';

CREATE VIEW analytics.events AS
SELECT
    p.host AS portal,
    e.event_id,
    e.occurred_at,
    date_bin('1 hour', e.occurred_at, 'epoch') AS occurred_hour,
    s.started_at AS first_seen_at,
    a.account_id,
    a.name AS display_name,
    coalesce(e.actor_name, a.event_name) AS actor_name,
    k.action_id,
    n.name AS action,
    CASE e.class WHEN -1 THEN 'nobody' WHEN 0 THEN 'none' WHEN 1 THEN 'view' WHEN 2 THEN 'edit' WHEN 3 THEN 'manage' END AS class,
    n.type AS action_type,
    n.product,
    n.location,
    CASE WHEN NOT r.is_unresolved THEN r.room_id END AS room_id,
    CASE WHEN NOT r.is_unresolved THEN r.title END AS room_title,
    CASE e.room_source
        WHEN 0 THEN 'none' WHEN 1 THEN 'payload' WHEN 2 THEN 'target' WHEN 3 THEN 'history' WHEN 4 THEN 'entry'
        WHEN 5 THEN 'entry_nearby' WHEN 6 THEN 'title' WHEN 7 THEN 'unresolved' WHEN 8 THEN 'unplaced_move'
    END AS room_source,
    e.room_source IN (5, 6) AS is_room_inferred,
    CASE WHEN r.is_unresolved THEN r.room_id END AS unresolved_title,
    string_to_array(e.target, ',') AS target_ids,
    c.ip,
    nullif(c.country, '') AS country,
    nullif(c.city, '') AS city,
    c.browser,
    c.platform,
    g.url AS page,
    x.context,
    e.description,
    e.extra
FROM audit_event AS e
LEFT JOIN portal AS p ON p.portal_id = e.portal_id
LEFT JOIN room AS r ON r.portal_id = e.portal_id AND r.room_key = e.room_key
LEFT JOIN account AS a ON a.portal_id = e.portal_id AND a.account_key = e.account_key
LEFT JOIN kind AS k ON k.portal_id = e.portal_id AND k.kind_key = e.kind_key
LEFT JOIN action AS n ON n.action_id = k.action_id
LEFT JOIN client AS c ON c.portal_id = e.portal_id AND c.client_key = e.client_key
LEFT JOIN page AS g ON g.portal_id = e.portal_id AND g.page_key = e.page_key
LEFT JOIN context AS x ON x.portal_id = e.portal_id AND x.context_key = e.context_key
LEFT JOIN sync_run AS s ON s.portal_id = e.portal_id AND s.run_id = e.run_id;

COMMENT ON VIEW analytics.events IS 'One row per event of the audit trail, with all that is known of it. It is the biggest view: name a span of occurred_at in every query, which then reads about that share of the table; there is no index by room, person or class, so a query without a span reads everything. activity_daily, last_activity and events_hourly answer most questions from a small part of the rows';
COMMENT ON COLUMN analytics.events.portal IS 'Base URL of the portal';
COMMENT ON COLUMN analytics.events.event_id IS 'The portal''s own id of the event, unique within the portal; not in order of time';
COMMENT ON COLUMN analytics.events.occurred_at IS 'When the portal recorded the act, by its clock; whole seconds on most portals';
COMMENT ON COLUMN analytics.events.occurred_hour IS 'Start of the UTC hour of occurred_at. There is an exact index by it: short spans are found fastest when their hours are named beside occurred_at, as in occurred_hour >= date_bin(''1 hour'', t, ''epoch'')';
COMMENT ON COLUMN analytics.events.first_seen_at IS 'Start of the sync that first read the event, by the portal''s clock';
COMMENT ON COLUMN analytics.events.account_id IS 'Account of who did it; accounts.is_person is false for ids that stand for nobody';
COMMENT ON COLUMN analytics.events.display_name IS 'Latest known name of who did it. Personal data';
COMMENT ON COLUMN analytics.events.actor_name IS 'Name that the event was listed with, as it was then; null if none. Personal data';
COMMENT ON COLUMN analytics.events.action_id IS 'DocSpace''s number of the action, 0 if the event has none; see actions';
COMMENT ON COLUMN analytics.events.action IS 'DocSpace''s name of the action; null if roompulse does not know it';
COMMENT ON COLUMN analytics.events.class IS 'What the event counts as for who did it: view, edit or manage (activity); none (a person''s act that is no activity in a room); nobody (by the portal itself, or by nobody certain)';
COMMENT ON COLUMN analytics.events.action_type IS 'Create, Update, Delete, Download, Move, ...; null if unknown';
COMMENT ON COLUMN analytics.events.product IS 'Part of DocSpace: Documents, Contacts, Settings, Login; null if unknown';
COMMENT ON COLUMN analytics.events.location IS 'Part of the product: Files, Folders, Rooms, Agents, ...; null if unknown';
COMMENT ON COLUMN analytics.events.room_id IS 'Room that the event belongs to; null if it belongs to none, or to one that is not known';
COMMENT ON COLUMN analytics.events.room_title IS 'Latest known title of that room';
COMMENT ON COLUMN analytics.events.room_source IS 'How the room is known: payload (the event names its id), target (it is about the room), history (the room''s log has it), entry (the file lay there before and after), entry_nearby (the file lay there before or after, inferred), title (the context names a title that one room alone bore, inferred), unresolved (no single room bore that title), unplaced_move (one of the two events of a move that cannot be told apart), none';
COMMENT ON COLUMN analytics.events.is_room_inferred IS 'True: the room is inferred, and no log has confirmed it (entry_nearby, title)';
COMMENT ON COLUMN analytics.events.unresolved_title IS 'Title that the event''s context names and that no single room bore then; null for others. The event may belong to any room that bore it';
COMMENT ON COLUMN analytics.events.target_ids IS 'Ids of what it was done to: a file, a folder, a room, people, ... as the action has it; null if none';
COMMENT ON COLUMN analytics.events.ip IS 'Address that it came from, as the portal lists it: of IPv6 only the first group; null if the portal did it by itself. Personal data';
COMMENT ON COLUMN analytics.events.country IS 'English name of the address''s country by the portal''s own look-up; null if unknown';
COMMENT ON COLUMN analytics.events.city IS 'City of the address by the portal''s own look-up; null if unknown';
COMMENT ON COLUMN analytics.events.browser IS 'Browser and its version; null if the portal names none';
COMMENT ON COLUMN analytics.events.platform IS 'Operating system and its version; null if the portal names none';
COMMENT ON COLUMN analytics.events.page IS 'Page that it was done on, without query, fragment and anything after /s/, which carry secrets; null if the portal names none';
COMMENT ON COLUMN analytics.events.context IS 'Where in the portal, in words of its language, such as Rooms: Tender; null if the portal says nothing';
COMMENT ON COLUMN analytics.events.description IS 'The portal''s sentence about the act, in the language of the API key''s owner; null if none. It may name files and people';
COMMENT ON COLUMN analytics.events.extra IS 'Fields that the portal listed and that have no column here, a JSON object; null if none';

CREATE VIEW analytics.events_hourly AS
SELECT
    p.host AS portal,
    h.hour,
    CASE h.room_source
        WHEN 0 THEN 'none' WHEN 1 THEN 'payload' WHEN 2 THEN 'target' WHEN 3 THEN 'history' WHEN 4 THEN 'entry'
        WHEN 5 THEN 'entry_nearby' WHEN 6 THEN 'title' WHEN 7 THEN 'unresolved' WHEN 8 THEN 'unplaced_move'
    END AS room_source,
    CASE h.class WHEN -1 THEN 'nobody' WHEN 0 THEN 'none' WHEN 1 THEN 'view' WHEN 2 THEN 'edit' WHEN 3 THEN 'manage' END AS class,
    h.events::bigint AS events
FROM event_hour AS h
LEFT JOIN portal AS p ON p.portal_id = h.portal_id;

COMMENT ON VIEW analytics.events_hourly IS 'One row per portal, hour, room_source and class: how many events there were, and how well their rooms are known. Every event is counted once; zero has no row';
COMMENT ON COLUMN analytics.events_hourly.portal IS 'Base URL of the portal';
COMMENT ON COLUMN analytics.events_hourly.hour IS 'Start of the hour, as events.occurred_hour';
COMMENT ON COLUMN analytics.events_hourly.room_source IS 'How the room is known, as events.room_source; unresolved and unplaced_move with class view, edit or manage are the unattributed events of reports';
COMMENT ON COLUMN analytics.events_hourly.class IS 'What the events count as, as events.class';
COMMENT ON COLUMN analytics.events_hourly.events IS 'Number of events';

CREATE VIEW analytics.rooms AS
SELECT
    p.host AS portal,
    r.room_id,
    r.title,
    CASE r.room_type
        WHEN 1 THEN 'forms' WHEN 2 THEN 'editing' WHEN 5 THEN 'custom' WHEN 6 THEN 'public' WHEN 8 THEN 'data_room' WHEN 9 THEN 'agent'
        ELSE 'unknown'
    END AS room_type,
    r.is_archived,
    r.is_third_party,
    r.created_at,
    r.deleted_at,
    r.listed_at AS last_listed_at,
    r.members_since AS members_known_from,
    r.members_at AS members_known_until,
    r.unreadable_since
FROM room AS r
LEFT JOIN portal AS p ON p.portal_id = r.portal_id
WHERE NOT r.is_unresolved;

COMMENT ON VIEW analytics.rooms IS 'One row per room or AI agent of a portal; archived and deleted ones are kept. A room whose portal lists it no more has deleted_at';
COMMENT ON COLUMN analytics.rooms.portal IS 'Base URL of the portal';
COMMENT ON COLUMN analytics.rooms.room_id IS 'The portal''s own id of the room: text, since rooms in third-party storage have ids like sbox-7';
COMMENT ON COLUMN analytics.rooms.title IS 'Latest title known; earlier ones are not kept here';
COMMENT ON COLUMN analytics.rooms.room_type IS 'forms, editing, custom, public, data_room or agent; unknown if no list ever had the room';
COMMENT ON COLUMN analytics.rooms.is_archived IS 'True if the room lay in the archive when it was last listed';
COMMENT ON COLUMN analytics.rooms.is_third_party IS 'True for rooms in third-party storage. They have no log, so less is known of their members';
COMMENT ON COLUMN analytics.rooms.created_at IS 'When the room was made; null if unknown';
COMMENT ON COLUMN analytics.rooms.deleted_at IS 'When the room was deleted: the event''s time, else that of the first list without it; null if it exists';
COMMENT ON COLUMN analytics.rooms.last_listed_at IS 'When a list of rooms last had it; null if none had';
COMMENT ON COLUMN analytics.rooms.members_known_from IS 'When its members were first listed. Before it, members are as that list says, walked back through the room''s log: people deleted since are missing; null if no list was ever read';
COMMENT ON COLUMN analytics.rooms.members_known_until IS 'As of when its members were last listed; null if no list was ever read';
COMMENT ON COLUMN analytics.rooms.unreadable_since IS 'Since when the portal shows no members of it: those known then are still given; null if it does';

CREATE VIEW analytics.accounts AS
SELECT
    p.host AS portal,
    a.account_id,
    a.name AS display_name,
    a.email,
    CASE a.status WHEN 0 THEN 'unlisted' WHEN 1 THEN 'active' WHEN 2 THEN 'disabled' WHEN 3 THEN 'deleted' WHEN 4 THEN 'pending' END AS status,
    a.is_guest,
    a.is_owner,
    a.account_id NOT IN (
        '', 'a37ee56e-3302-4a7b-b67e-ddbea64cd032', '712d9ec3-5d2b-4b13-824f-71f00191dcca',
        '00000000-0000-0000-0000-000000000000', '4a515a15-d4d6-4b8e-828e-e0586f18f3a3', 'e78f4c20-2f3b-4a9d-ad13-5f298bd5a3ba'
    ) AS is_person,
    a.registered_at,
    a.listed_at AS last_listed_at,
    l.last_at AS last_seen_at
FROM account AS a
LEFT JOIN portal AS p ON p.portal_id = a.portal_id
LEFT JOIN account_last AS l ON l.portal_id = a.portal_id AND l.account_key = a.account_key;

COMMENT ON VIEW analytics.accounts IS 'One row per account of a portal: users, guests, those deleted since, and the ids that stand for nobody (is_person is false). It holds names and e-mail addresses, which are personal data: take account_id where it will do';
COMMENT ON COLUMN analytics.accounts.portal IS 'Base URL of the portal';
COMMENT ON COLUMN analytics.accounts.account_id IS 'The portal''s own id of the account';
COMMENT ON COLUMN analytics.accounts.display_name IS 'Name from the list of people, else from an event. Personal data';
COMMENT ON COLUMN analytics.accounts.email IS 'E-mail address from the list of people; null if never listed. Personal data';
COMMENT ON COLUMN analytics.accounts.status IS 'active, disabled, pending (invitation not accepted), deleted (gone from the list of people) or unlisted (seen in events only), as last listed';
COMMENT ON COLUMN analytics.accounts.is_guest IS 'True for guests, when last listed';
COMMENT ON COLUMN analytics.accounts.is_owner IS 'True for the owner of the portal';
COMMENT ON COLUMN analytics.accounts.is_person IS 'False for ids that stand for the portal itself, for visitors by public links, or for nobody certain: they belong in no count of people';
COMMENT ON COLUMN analytics.accounts.registered_at IS 'When the account was made; null if never listed';
COMMENT ON COLUMN analytics.accounts.last_listed_at IS 'When a list of people last had it; null if none had';
COMMENT ON COLUMN analytics.accounts.last_seen_at IS 'Last event of any kind anywhere in the portal, the portal''s own acts in the person''s name apart; null if there is none';

CREATE VIEW analytics.members AS
SELECT
    p.host AS portal,
    r.room_id,
    r.title AS room_title,
    a.account_id,
    a.name AS display_name,
    CASE m.access
        WHEN 1 THEN 'Owner' WHEN 9 THEN 'Room manager' WHEN 11 THEN 'Content creator' WHEN 10 THEN 'Editor' WHEN 7 THEN 'Form filler'
        WHEN 8 THEN 'Custom filter' WHEN 5 THEN 'Reviewer' WHEN 6 THEN 'Commenter' WHEN 2 THEN 'Viewer' ELSE 'Unknown'
    END AS access,
    coalesce(array_position(ARRAY[1, 9, 11, 10, 7, 8, 5, 6, 2]::smallint[], m.access), 10) AS access_rank,
    m.is_owner,
    m.group_key IS NULL AS is_direct,
    g.group_id,
    g.name AS group_name,
    nullif(m.valid_from, '-infinity') AS valid_from,
    nullif(m.valid_to, 'infinity') AS valid_to,
    nullif(m.joined_at, '-infinity') AS member_since,
    nullif(m.joined_after, '-infinity') AS joined_after
FROM (
    SELECT
        o.portal_id, o.room_key, o.account_key, NULL::integer AS group_key, o.access, o.is_owner,
        o.valid_from, o.valid_to, o.joined_at, o.joined_after
    FROM room_member AS o
    UNION ALL
    SELECT
        v.portal_id, v.room_key, v.account_key, v.group_key, v.access, false,
        v.valid_from, v.valid_to, v.joined_at, v.joined_after
    FROM room_group_member AS v
) AS m
LEFT JOIN portal AS p ON p.portal_id = m.portal_id
LEFT JOIN room AS r ON r.portal_id = m.portal_id AND r.room_key = m.room_key
LEFT JOIN account AS a ON a.portal_id = m.portal_id AND a.account_key = m.account_key
LEFT JOIN people_group AS g ON g.portal_id = m.portal_id AND g.group_key = m.group_key;

COMMENT ON VIEW analytics.members IS 'One row per room, person, way of being a member (a right of their own, or one for each group) and span of time with the same right; who is a member at t: (valid_from IS NULL OR valid_from <= t) AND (valid_to IS NULL OR valid_to > t), who is one now: valid_to IS NULL. Somebody may have several rows at a time: their own right counts before those of groups, then the lowest access_rank. Disabled and deleted accounts are not left out: accounts.status tells. All is as far as it is known, see rooms.members_known_from';
COMMENT ON COLUMN analytics.members.portal IS 'Base URL of the portal';
COMMENT ON COLUMN analytics.members.room_id IS 'The portal''s own id of the room';
COMMENT ON COLUMN analytics.members.room_title IS 'Latest known title of the room';
COMMENT ON COLUMN analytics.members.account_id IS 'The portal''s own id of the account';
COMMENT ON COLUMN analytics.members.display_name IS 'Latest known name of the person. Personal data';
COMMENT ON COLUMN analytics.members.access IS 'Right in the room: Owner, Room manager, Content creator, Editor, Form filler, Custom filter, Reviewer, Commenter or Viewer, as the lists of members have it: before the first list, the right that the first one gave; Unknown if no list ever told';
COMMENT ON COLUMN analytics.members.access_rank IS 'Orders rights: 1 is Owner, who may do most, 9 is Viewer, 10 unknown';
COMMENT ON COLUMN analytics.members.is_owner IS 'True for the owner of the room';
COMMENT ON COLUMN analytics.members.is_direct IS 'True: the person''s own right; false: one of group_id, whose member they are';
COMMENT ON COLUMN analytics.members.group_id IS 'Group that gives the right; null if it is the person''s own. The group Everyone stands for all accounts that are active now and no guests';
COMMENT ON COLUMN analytics.members.group_name IS 'Latest known name of the group; null if the right is the person''s own';
COMMENT ON COLUMN analytics.members.valid_from IS 'First moment the right is known to hold; null: since before anything is known';
COMMENT ON COLUMN analytics.members.valid_to IS 'First moment it is known to hold no more; null: it holds';
COMMENT ON COLUMN analytics.members.member_since IS 'Start of the membership by this way, whatever rights it has had since; null: nobody knows';
COMMENT ON COLUMN analytics.members.joined_after IS 'Last moment the person is known not to have been a member by this way; equals member_since where the moment is known; null if there is none';

CREATE VIEW analytics.activity_daily AS
SELECT
    p.host AS portal,
    d.day,
    r.room_id,
    r.title AS room_title,
    a.account_id,
    a.name AS display_name,
    (coalesce(d.views, 0) + coalesce(d.edits, 0) + coalesce(d.manages, 0))::bigint AS events,
    coalesce(d.views, 0)::bigint AS views,
    coalesce(d.edits, 0)::bigint AS edits,
    coalesce(d.manages, 0)::bigint AS manages,
    least(d.view_first_at, d.edit_first_at, d.manage_first_at) AS first_active_at,
    greatest(d.view_last_at, d.edit_last_at, d.manage_last_at) AS last_active_at
FROM room_day AS d
INNER JOIN room AS r ON r.portal_id = d.portal_id AND r.room_key = d.room_key AND NOT r.is_unresolved
LEFT JOIN portal AS p ON p.portal_id = d.portal_id
LEFT JOIN account AS a ON a.portal_id = d.portal_id AND a.account_key = d.account_key;

COMMENT ON VIEW analytics.activity_daily IS 'One row per portal, room, person and UTC day with activity: what counts in reports, by class; zero has no row. The first choice for questions about activity: a fraction of the rows of events, and found by day as well as by room. Events under titles that no single room bore are not here: events.unresolved_title has them. That nothing is here means no recorded activity, and only inside [portals.complete_from, portals.complete_until)';
COMMENT ON COLUMN analytics.activity_daily.portal IS 'Base URL of the portal';
COMMENT ON COLUMN analytics.activity_daily.day IS 'UTC day; the one that portals.complete_until lies in is counted up to then. For days of another zone count events';
COMMENT ON COLUMN analytics.activity_daily.room_id IS 'The portal''s own id of the room';
COMMENT ON COLUMN analytics.activity_daily.room_title IS 'Latest known title of the room';
COMMENT ON COLUMN analytics.activity_daily.account_id IS 'Account of who was active';
COMMENT ON COLUMN analytics.activity_daily.display_name IS 'Latest known name of who was active. Personal data';
COMMENT ON COLUMN analytics.activity_daily.events IS 'Number of events that count: views, edits and manages together';
COMMENT ON COLUMN analytics.activity_daily.views IS 'Events of class view: downloads, media viewed';
COMMENT ON COLUMN analytics.activity_daily.edits IS 'Events of class edit: opening for editing, saving, uploading, moving, deleting, filling in forms';
COMMENT ON COLUMN analytics.activity_daily.manages IS 'Events of class manage: members, rights, links, names';
COMMENT ON COLUMN analytics.activity_daily.first_active_at IS 'Time of the first of the events';
COMMENT ON COLUMN analytics.activity_daily.last_active_at IS 'Time of the last of the events';

CREATE VIEW analytics.last_activity AS
SELECT
    p.host AS portal,
    r.room_id,
    r.title AS room_title,
    a.account_id,
    a.name AS display_name,
    greatest(l.view_last_at, l.edit_last_at, l.manage_last_at) AS last_active_at,
    l.view_last_at AS last_viewed_at,
    l.edit_last_at AS last_edited_at,
    l.manage_last_at AS last_managed_at
FROM room_last AS l
INNER JOIN room AS r ON r.portal_id = l.portal_id AND r.room_key = l.room_key AND NOT r.is_unresolved
LEFT JOIN portal AS p ON p.portal_id = l.portal_id
LEFT JOIN account AS a ON a.portal_id = l.portal_id AND a.account_key = l.account_key;

COMMENT ON VIEW analytics.last_activity IS 'One row per portal, room and person with any activity: when it was last, by class. Members who never did anything have no row: join it LEFT to members. Not of any window: what happened up to now';
COMMENT ON COLUMN analytics.last_activity.portal IS 'Base URL of the portal';
COMMENT ON COLUMN analytics.last_activity.room_id IS 'The portal''s own id of the room';
COMMENT ON COLUMN analytics.last_activity.room_title IS 'Latest known title of the room';
COMMENT ON COLUMN analytics.last_activity.account_id IS 'Account of who was active';
COMMENT ON COLUMN analytics.last_activity.display_name IS 'Latest known name of who was active. Personal data';
COMMENT ON COLUMN analytics.last_activity.last_active_at IS 'Last event that counts: of class view, edit or manage';
COMMENT ON COLUMN analytics.last_activity.last_viewed_at IS 'Last event of class view; null if there is none';
COMMENT ON COLUMN analytics.last_activity.last_edited_at IS 'Last event of class edit; null if there is none';
COMMENT ON COLUMN analytics.last_activity.last_managed_at IS 'Last event of class manage; null if there is none';

CREATE VIEW analytics.coverage AS
SELECT
    p.host AS portal,
    s.state,
    lower(s.span) AS starts_at,
    upper(s.span) AS ends_at,
    s.gap_id,
    s.cause,
    s.found_at,
    s.accepted_at,
    s.accept_reason
FROM (
    SELECT
        c.portal_id, 'complete' AS state, unnest(c.spans) AS span,
        NULL::integer AS gap_id, NULL::text AS cause, NULL::timestamptz AS found_at, NULL::timestamptz AS accepted_at, NULL::text AS accept_reason
    FROM sync_complete AS c
    UNION ALL
    SELECT
        g.portal_id, CASE WHEN g.accepted_at IS NULL THEN 'gap' ELSE 'accepted_gap' END, tstzrange(g.gap_from, g.gap_to),
        g.gap_id, g.cause, g.found_at, g.accepted_at, g.accept_reason
    FROM sync_gap AS g
    WHERE g.closed_at IS NULL
    UNION ALL
    SELECT
        w.portal_id, 'not_fetched',
        unnest(tstzmultirange(tstzrange(f.floor_at, upper(w.spans))) - w.spans - coalesce(g.gaps, '{}')),
        NULL, NULL, NULL, NULL, NULL
    FROM sync_complete AS w
    INNER JOIN portal AS f ON f.portal_id = w.portal_id
    LEFT JOIN (
        SELECT o.portal_id, range_agg(tstzrange(o.gap_from, o.gap_to)) AS gaps
        FROM sync_gap AS o
        WHERE o.closed_at IS NULL
        GROUP BY o.portal_id
    ) AS g ON g.portal_id = w.portal_id
    WHERE f.floor_at < upper(w.spans)
) AS s
LEFT JOIN portal AS p ON p.portal_id = s.portal_id;

COMMENT ON VIEW analytics.coverage IS 'One row per span of time of a portal: for which times its events are all held, and for which they are not. Outside the complete spans, silence proves nothing. Neighbouring complete spans are one row; after the last of them nothing is known';
COMMENT ON COLUMN analytics.coverage.portal IS 'Base URL of the portal';
COMMENT ON COLUMN analytics.coverage.state IS 'complete (all events are held), gap (sync could not have them all), accepted_gap (the same, and an administrator has accepted it) or not_fetched (sync has yet to come to it)';
COMMENT ON COLUMN analytics.coverage.starts_at IS 'Start of the span, included';
COMMENT ON COLUMN analytics.coverage.ends_at IS 'End of the span, not included';
COMMENT ON COLUMN analytics.coverage.gap_id IS 'Number of the gap for roompulse gap accept; null if it is none';
COMMENT ON COLUMN analytics.coverage.cause IS 'Why a gap could not be completed; null if it is none';
COMMENT ON COLUMN analytics.coverage.found_at IS 'When a gap was found, by the portal''s clock; null if it is none';
COMMENT ON COLUMN analytics.coverage.accepted_at IS 'When an administrator accepted the gap; null if none did';
COMMENT ON COLUMN analytics.coverage.accept_reason IS 'The administrator''s reason; null if none accepted it';

CREATE VIEW analytics.reminders AS
SELECT
    p.host AS portal,
    r.room_id,
    r.title AS room_title,
    a.account_id,
    a.name AS display_name,
    m.number,
    m.state,
    m.verdict,
    m.email,
    m.message_id,
    m.window_from,
    m.window_to,
    m.claimed_at,
    m.settled_at,
    m.attempts,
    m.error,
    (
        SELECT min(t.at)
        FROM room_day AS d
        CROSS JOIN LATERAL (
            VALUES (d.view_first_at), (d.view_last_at), (d.edit_first_at), (d.edit_last_at), (d.manage_first_at), (d.manage_last_at)
        ) AS t (at)
        WHERE d.portal_id = m.portal_id AND d.room_key = m.room_key AND d.account_key = m.account_key
            AND d.day >= (m.claimed_at AT TIME ZONE 'UTC')::date
            AND t.at > m.claimed_at
    ) AS came_back_at
FROM reminder AS m
LEFT JOIN portal AS p ON p.portal_id = m.portal_id
LEFT JOIN room AS r ON r.portal_id = m.portal_id AND r.room_key = m.room_key
LEFT JOIN account AS a ON a.portal_id = m.portal_id AND a.account_key = m.account_key;

COMMENT ON VIEW analytics.reminders IS 'One row per reminder of a member for a room: what was sent, why, and who came back. One mail may name several rooms: count distinct message_id for mails';
COMMENT ON COLUMN analytics.reminders.portal IS 'Base URL of the portal';
COMMENT ON COLUMN analytics.reminders.room_id IS 'The portal''s own id of the room';
COMMENT ON COLUMN analytics.reminders.room_title IS 'Latest known title of the room';
COMMENT ON COLUMN analytics.reminders.account_id IS 'Account of the member';
COMMENT ON COLUMN analytics.reminders.display_name IS 'Latest known name of the member. Personal data';
COMMENT ON COLUMN analytics.reminders.number IS '1 for the first reminder of this member for this room, 2 for the second, and so on';
COMMENT ON COLUMN analytics.reminders.state IS 'sent (the mail server took it), claimed (being sent, by a run that is at work or has died), failed (it was not sent, and is due again) or uncertain (nobody knows)';
COMMENT ON COLUMN analytics.reminders.verdict IS 'What the member was judged to be: never, quiet or low';
COMMENT ON COLUMN analytics.reminders.email IS 'Address that the mail went to. Personal data';
COMMENT ON COLUMN analytics.reminders.message_id IS 'Message-ID of the mail, without angle brackets: the same for all rooms that it names';
COMMENT ON COLUMN analytics.reminders.window_from IS 'Start of the window that was judged, included';
COMMENT ON COLUMN analytics.reminders.window_to IS 'End of the window that was judged, not included';
COMMENT ON COLUMN analytics.reminders.claimed_at IS 'When the last attempt to send it began, by roompulse''s clock';
COMMENT ON COLUMN analytics.reminders.settled_at IS 'When its outcome was known, by roompulse''s clock; null while claimed';
COMMENT ON COLUMN analytics.reminders.attempts IS 'How often sending it was tried';
COMMENT ON COLUMN analytics.reminders.error IS 'Why it failed or is uncertain; null otherwise';
COMMENT ON COLUMN analytics.reminders.came_back_at IS 'First counted event of the member in the room after claimed_at; on the day of the reminder itself an upper bound; null if there is none';

CREATE VIEW analytics.sync_runs AS
SELECT
    p.host AS portal,
    s.run_id,
    s.version,
    s.started_at,
    s.finished_at,
    s.outcome,
    s.error,
    s.requests,
    s.windows,
    s.events_listed,
    s.events_new,
    s.events_late,
    s.max_late_seconds,
    s.quarantined
FROM sync_run AS s
LEFT JOIN portal AS p ON p.portal_id = s.portal_id;

COMMENT ON VIEW analytics.sync_runs IS 'One row per run of roompulse sync: when the warehouse learned what, and how late the portal''s events came';
COMMENT ON COLUMN analytics.sync_runs.portal IS 'Base URL of the portal';
COMMENT ON COLUMN analytics.sync_runs.run_id IS 'Number of the run within its portal, rising';
COMMENT ON COLUMN analytics.sync_runs.version IS 'Version of roompulse that ran';
COMMENT ON COLUMN analytics.sync_runs.started_at IS 'Start, by the portal''s clock';
COMMENT ON COLUMN analytics.sync_runs.finished_at IS 'End, by the portal''s clock; null while it runs, or if it crashed';
COMMENT ON COLUMN analytics.sync_runs.outcome IS 'done, incomplete (some data could not be had), failed, refused (by the portal), interrupted, or running';
COMMENT ON COLUMN analytics.sync_runs.error IS 'Why it failed; null if it did not';
COMMENT ON COLUMN analytics.sync_runs.requests IS 'Requests sent to the portal, repeated ones included';
COMMENT ON COLUMN analytics.sync_runs.windows IS 'Windows of time that it completed';
COMMENT ON COLUMN analytics.sync_runs.events_listed IS 'Events that it read';
COMMENT ON COLUMN analytics.sync_runs.events_new IS 'Events among them that were not known before';
COMMENT ON COLUMN analytics.sync_runs.events_late IS 'New events in spans that had been complete: the portal wrote them late';
COMMENT ON COLUMN analytics.sync_runs.max_late_seconds IS 'Seconds between the date of such an event and the last reading that lacked it, at most';
COMMENT ON COLUMN analytics.sync_runs.quarantined IS 'Items met for the first time that could not be decoded';

-- A convenience over the views: what `roompulse report activity` counts. The planner
-- puts its body in place of the call. Citus refuses functions over distributed
-- tables, so there it is left out.
-- +goose StatementBegin
DO $migration$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        RETURN;
    END IF;

    CREATE FUNCTION analytics.activity(portal text, "from" timestamptz, "to" timestamptz)
    RETURNS TABLE (
        room_id text, title text, account_id text, display_name text, member boolean,
        events bigint, views bigint, edits bigint, manages bigint, active_days bigint,
        first_active_at timestamptz, last_active_at timestamptz
    )
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
        -- Whole UTC days are counted already; of the days that the window cuts, first and last, events are counted here.
        SELECT
            x.room_id, x.room_title, x.account_id, x.display_name, m.account_id IS NOT NULL,
            sum(x.events)::bigint, sum(x.views)::bigint, sum(x.edits)::bigint, sum(x.manages)::bigint, count(DISTINCT x.day),
            min(x.first_active_at), max(x.last_active_at)
        FROM (
            SELECT
                d.day, d.room_id, d.room_title, d.account_id, d.display_name,
                d.events, d.views, d.edits, d.manages, d.first_active_at, d.last_active_at
            FROM analytics.activity_daily AS d
            WHERE d.portal = activity.portal
                AND d.day >= (date_bin('1 day', activity."from" + INTERVAL '24 hours' - INTERVAL '1 microsecond', 'epoch') AT TIME ZONE 'UTC')::date
                AND d.day < (date_bin('1 day', activity."to", 'epoch') AT TIME ZONE 'UTC')::date
            UNION ALL
            SELECT
                (e.occurred_at AT TIME ZONE 'UTC')::date, e.room_id, e.room_title, e.account_id, e.display_name,
                1, (e.class = 'view')::integer, (e.class = 'edit')::integer, (e.class = 'manage')::integer, e.occurred_at, e.occurred_at
            FROM analytics.events AS e
            WHERE e.portal = activity.portal AND e.room_id IS NOT NULL AND e.class IN ('view', 'edit', 'manage')
                AND e.occurred_at >= activity."from"
                AND e.occurred_at < least(activity."to", date_bin('1 day', activity."from" + INTERVAL '24 hours' - INTERVAL '1 microsecond', 'epoch'))
                AND e.occurred_hour >= date_bin('1 hour', activity."from", 'epoch')
                AND e.occurred_hour < least(activity."to", date_bin('1 day', activity."from" + INTERVAL '24 hours' - INTERVAL '1 microsecond', 'epoch'))
            UNION ALL
            SELECT
                (e.occurred_at AT TIME ZONE 'UTC')::date, e.room_id, e.room_title, e.account_id, e.display_name,
                1, (e.class = 'view')::integer, (e.class = 'edit')::integer, (e.class = 'manage')::integer, e.occurred_at, e.occurred_at
            FROM analytics.events AS e
            WHERE e.portal = activity.portal AND e.room_id IS NOT NULL AND e.class IN ('view', 'edit', 'manage')
                AND e.occurred_at >= greatest(date_bin('1 day', activity."from" + INTERVAL '24 hours' - INTERVAL '1 microsecond', 'epoch'), date_bin('1 day', activity."to", 'epoch'))
                AND e.occurred_at < activity."to"
                AND e.occurred_hour >= greatest(date_bin('1 day', activity."from" + INTERVAL '24 hours' - INTERVAL '1 microsecond', 'epoch'), date_bin('1 day', activity."to", 'epoch'))
                AND e.occurred_hour < activity."to"
        ) AS x
        LEFT JOIN (
            SELECT DISTINCT i.room_id, i.account_id
            FROM analytics.members AS i
            WHERE i.portal = activity.portal
                AND (i.valid_from IS NULL OR i.valid_from <= activity."to")
                AND (i.valid_to IS NULL OR i.valid_to > activity."to")
        ) AS m ON m.room_id = x.room_id AND m.account_id = x.account_id
        GROUP BY x.room_id, x.room_title, x.account_id, x.display_name, m.account_id;
    END;

    REVOKE ALL ON FUNCTION analytics.activity FROM PUBLIC;

    COMMENT ON FUNCTION analytics.activity IS 'What roompulse report activity counts in [from, to), any two moments, on one portal: one row per room and person with activity, in the words of the report''s JSON. member is as of the end of the window, active_days are UTC days, first_active_at and last_active_at lie inside the window. The planner sees through it; days that the window cuts are counted from events';
END
$migration$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION IF EXISTS analytics.activity;
DROP VIEW analytics.sync_runs;
DROP VIEW analytics.reminders;
DROP VIEW analytics.coverage;
DROP VIEW analytics.last_activity;
DROP VIEW analytics.activity_daily;
DROP VIEW analytics.members;
DROP VIEW analytics.accounts;
DROP VIEW analytics.rooms;
DROP VIEW analytics.events_hourly;
DROP VIEW analytics.events;
DROP VIEW analytics.actions;
DROP VIEW analytics.portals;
DROP SCHEMA analytics;
DROP INDEX audit_event_occurred_at;
