-- Each of these gives keys to values, new ones to values not met before. The
-- caller is the portal's one writer, so that max + row_number is free.

-- name: AddAccounts :many
WITH wanted AS (
    SELECT unnest(@account_ids::text[]) AS account_id, unnest(@names::text[]) AS name
),
added AS (
    INSERT INTO account AS a (portal_id, account_key, account_id, name, event_name)
    SELECT
        @portal_id::integer,
        (SELECT coalesce(max(o.account_key), 0) FROM account AS o WHERE o.portal_id = @portal_id::integer)
            + row_number() OVER (ORDER BY w.account_id),
        w.account_id, w.name, w.name
    FROM wanted AS w
    WHERE NOT EXISTS (
        SELECT 1 FROM account AS o WHERE o.portal_id = @portal_id::integer AND o.account_id = w.account_id
    )
    RETURNING a.account_key, a.account_id, a.event_name
)
SELECT account_key, account_id, event_name FROM added
UNION ALL
SELECT o.account_key, o.account_id, o.event_name
FROM account AS o
WHERE o.portal_id = @portal_id::integer AND o.account_id = ANY(@account_ids::text[]);

-- name: AddKinds :many
WITH wanted AS (
    SELECT
        unnest(@fingerprints::uuid[]) AS fingerprint,
        unnest(@kinds::jsonb[]) AS kind
),
added AS (
    INSERT INTO kind AS a (portal_id, kind_key, fingerprint, action_id, type, product, location, entries)
    SELECT
        @portal_id::integer,
        (SELECT coalesce(max(o.kind_key), 0) FROM kind AS o WHERE o.portal_id = @portal_id::integer)
            + row_number() OVER (ORDER BY w.fingerprint),
        w.fingerprint,
        (w.kind ->> 'action_id')::integer,
        (w.kind ->> 'type')::smallint,
        (w.kind ->> 'product')::smallint,
        (w.kind ->> 'location')::smallint,
        string_to_array(w.kind ->> 'entries', ',')::smallint[]
    FROM wanted AS w
    WHERE NOT EXISTS (
        SELECT 1 FROM kind AS o WHERE o.portal_id = @portal_id::integer AND o.fingerprint = w.fingerprint
    )
    RETURNING a.kind_key, a.fingerprint
)
SELECT kind_key, fingerprint FROM added
UNION ALL
SELECT o.kind_key, o.fingerprint
FROM kind AS o
WHERE o.portal_id = @portal_id::integer AND o.fingerprint = ANY(@fingerprints::uuid[]);

-- name: AddClients :many
WITH wanted AS (
    SELECT
        unnest(@fingerprints::uuid[]) AS fingerprint,
        unnest(@clients::jsonb[]) AS client
),
added AS (
    INSERT INTO client AS a (portal_id, client_key, fingerprint, ip, country, city, browser, platform)
    SELECT
        @portal_id::integer,
        (SELECT coalesce(max(o.client_key), 0) FROM client AS o WHERE o.portal_id = @portal_id::integer)
            + row_number() OVER (ORDER BY w.fingerprint),
        w.fingerprint,
        w.client ->> 'ip', w.client ->> 'country', w.client ->> 'city', w.client ->> 'browser', w.client ->> 'platform'
    FROM wanted AS w
    WHERE NOT EXISTS (
        SELECT 1 FROM client AS o WHERE o.portal_id = @portal_id::integer AND o.fingerprint = w.fingerprint
    )
    RETURNING a.client_key, a.fingerprint
)
SELECT client_key, fingerprint FROM added
UNION ALL
SELECT o.client_key, o.fingerprint
FROM client AS o
WHERE o.portal_id = @portal_id::integer AND o.fingerprint = ANY(@fingerprints::uuid[]);

-- name: AddPages :many
WITH wanted AS (
    SELECT unnest(@fingerprints::uuid[]) AS fingerprint, unnest(@urls::text[]) AS url
),
added AS (
    INSERT INTO page AS a (portal_id, page_key, fingerprint, url)
    SELECT
        @portal_id::integer,
        (SELECT coalesce(max(o.page_key), 0) FROM page AS o WHERE o.portal_id = @portal_id::integer)
            + row_number() OVER (ORDER BY w.fingerprint),
        w.fingerprint, w.url
    FROM wanted AS w
    WHERE NOT EXISTS (
        SELECT 1 FROM page AS o WHERE o.portal_id = @portal_id::integer AND o.fingerprint = w.fingerprint
    )
    RETURNING a.page_key, a.fingerprint
)
SELECT page_key, fingerprint FROM added
UNION ALL
SELECT o.page_key, o.fingerprint
FROM page AS o
WHERE o.portal_id = @portal_id::integer AND o.fingerprint = ANY(@fingerprints::uuid[]);

-- name: AddContexts :many
-- The title of a context without one is given as ''.
WITH wanted AS (
    SELECT
        unnest(@fingerprints::uuid[]) AS fingerprint,
        unnest(@contexts::text[]) AS context,
        unnest(@titles::text[]) AS title
),
added AS (
    INSERT INTO context AS a (portal_id, context_key, fingerprint, context, title)
    SELECT
        @portal_id::integer,
        (SELECT coalesce(max(o.context_key), 0) FROM context AS o WHERE o.portal_id = @portal_id::integer)
            + row_number() OVER (ORDER BY w.fingerprint),
        w.fingerprint, w.context, nullif(w.title, '')
    FROM wanted AS w
    WHERE NOT EXISTS (
        SELECT 1 FROM context AS o WHERE o.portal_id = @portal_id::integer AND o.fingerprint = w.fingerprint
    )
    RETURNING a.context_key, a.fingerprint
)
SELECT context_key, fingerprint FROM added
UNION ALL
SELECT o.context_key, o.fingerprint
FROM context AS o
WHERE o.portal_id = @portal_id::integer AND o.fingerprint = ANY(@fingerprints::uuid[]);
