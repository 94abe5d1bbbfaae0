package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"

	"github.com/jackc/pgx/v5/pgtype"

	"roompulse/db"
	"roompulse/internal/audit"
)

// maxCached bounds how many keys of one dimension are remembered. Portals have
// fewer accounts, but addresses can be as many as events.
const maxCached = 50_000

// keys remembers the surrogate keys that a Writer has met, so that a window
// asks the database only for values that are new to it.
type keys struct {
	accounts map[string]accountKey
	kinds    map[audit.Kind]int32
	clients  map[audit.Client]int32
	pages    map[string]int32
	contexts map[string]int32
	rooms    map[roomID]int32
}

// accountKey has the name that events of the account are usually listed with:
// an event stores its own only where that differs.
type accountKey struct {
	key  int32
	name string
}

// roomID is a room's id, or an unresolved title.
type roomID struct {
	id         string
	unresolved bool
}

func newKeys() keys {
	return keys{
		accounts: map[string]accountKey{},
		kinds:    map[audit.Kind]int32{},
		clients:  map[audit.Client]int32{},
		pages:    map[string]int32{},
		contexts: map[string]int32{},
		rooms:    map[roomID]int32{},
	}
}

// limit forgets the keys of dimensions of which too many are remembered.
func (k *keys) limit() {
	limit(k.accounts)
	limit(k.kinds)
	limit(k.clients)
	limit(k.pages)
	limit(k.contexts)
}

func limit[K comparable, V any](known map[K]V) {
	if len(known) > maxCached {
		clear(known)
	}
}

// want notes a value that is not known, and reports whether it is one.
func want[K comparable, V any](wanted map[K]bool, value K, known map[K]V) bool {
	if _, ok := known[value]; ok {
		return false
	}
	wanted[value] = true
	return true
}

// missing returns the wanted values that are not in known, in no order.
func missing[K comparable, V any](known map[K]V, wanted map[K]bool) []K {
	limit(known)
	var list []K
	for value := range wanted {
		if _, ok := known[value]; !ok {
			list = append(list, value)
		}
	}
	return list
}

// fingerprint identifies a value of a dimension whose columns can be null or
// long. The hash only has to be as good as no collision in one portal.
func fingerprint(value any) (pgtype.UUID, []byte, error) {
	encoded, err := json.Marshal(value)
	if err != nil {
		return pgtype.UUID{}, nil, fmt.Errorf("encode %T: %w", value, err)
	}
	sum := sha256.Sum256(encoded)
	return pgtype.UUID{Bytes: [16]byte(sum[:16]), Valid: true}, encoded, nil
}

// add gives keys to the missing values of a dimension. ask sends their
// fingerprints and encoded forms and returns the keys by fingerprint.
func add[K comparable](
	known map[K]int32, wanted map[K]bool, value func(K) any,
	ask func(fingerprints []pgtype.UUID, encoded []json.RawMessage, values []K) (map[pgtype.UUID]int32, error),
) error {
	values := missing(known, wanted)
	if len(values) == 0 {
		return nil
	}
	fingerprints := make([]pgtype.UUID, len(values))
	encoded := make([]json.RawMessage, len(values))
	for i, v := range values {
		var err error
		if fingerprints[i], encoded[i], err = fingerprint(value(v)); err != nil {
			return err
		}
	}
	byFingerprint, err := ask(fingerprints, encoded, values)
	if err != nil {
		return err
	}
	for i, v := range values {
		known[v] = byFingerprint[fingerprints[i]]
	}
	return nil
}

func nullable[T any](value T, valid bool) *T {
	if !valid {
		return nil
	}
	return &value
}

func nullText(s sql.NullString) *string { return nullable(s.String, s.Valid) }

type kindJSON struct {
	ActionID int32  `json:"action_id"`
	Type     *int16 `json:"type"`
	Product  *int16 `json:"product"`
	Location *int16 `json:"location"`
	Entries  string `json:"entries"`
}

type clientJSON struct {
	IP       *string `json:"ip"`
	Country  *string `json:"country"`
	City     *string `json:"city"`
	Browser  *string `json:"browser"`
	Platform *string `json:"platform"`
}

// resolveDimensions makes sure that keys has all values of the events.
func (w *Writer) resolveDimensions(ctx context.Context, q *db.Queries, events []*audit.Event) error {
	accounts, kinds, clients := map[string]bool{}, map[audit.Kind]bool{}, map[audit.Client]bool{}
	pages, contexts := map[string]bool{}, map[string]bool{}
	names := map[string]string{}
	w.keys.limit() // here, not later: of what is known nothing is asked for
	for _, e := range events {
		if want(accounts, e.ActorID, w.keys.accounts) {
			names[e.ActorID] = e.ActorName
		}
		want(kinds, e.Kind, w.keys.kinds)
		want(clients, e.Client, w.keys.clients)
		if e.Page.Valid {
			want(pages, e.Page.String, w.keys.pages)
		}
		if e.Context.Valid {
			want(contexts, e.Context.String, w.keys.contexts)
		}
	}
	if err := w.addAccounts(ctx, q, accounts, names); err != nil {
		return err
	}
	if err := w.addKinds(ctx, q, kinds); err != nil {
		return err
	}
	if err := w.addClients(ctx, q, clients); err != nil {
		return err
	}
	if err := w.addPages(ctx, q, pages); err != nil {
		return err
	}
	return w.addContexts(ctx, q, contexts)
}

func (w *Writer) addAccounts(ctx context.Context, q *db.Queries, wanted map[string]bool, names map[string]string) error {
	ids := missing(w.keys.accounts, wanted)
	if len(ids) == 0 {
		return nil
	}
	sort.Strings(ids)
	arg := db.AddAccountsParams{PortalID: w.Portal.ID, AccountIDs: ids}
	for _, id := range ids {
		arg.Names = append(arg.Names, names[id])
	}
	rows, err := q.AddAccounts(ctx, arg)
	if err != nil {
		return fmt.Errorf("add accounts: %w", err)
	}
	for _, row := range rows {
		name := ""
		if row.EventName != nil {
			name = *row.EventName
		}
		w.keys.accounts[row.AccountID] = accountKey{row.AccountKey, name}
	}
	return nil
}

func (w *Writer) addKinds(ctx context.Context, q *db.Queries, wanted map[audit.Kind]bool) error {
	value := func(k audit.Kind) any {
		return kindJSON{
			k.ActionID, nullable(k.Type.Int16, k.Type.Valid), nullable(k.Product.Int16, k.Product.Valid),
			nullable(k.Location.Int16, k.Location.Valid), k.Entries,
		}
	}
	return add(w.keys.kinds, wanted, value, func(fingerprints []pgtype.UUID, encoded []json.RawMessage, _ []audit.Kind) (map[pgtype.UUID]int32, error) {
		rows, err := q.AddKinds(ctx, db.AddKindsParams{PortalID: w.Portal.ID, Fingerprints: fingerprints, Kinds: encoded})
		if err != nil {
			return nil, fmt.Errorf("add kinds of event: %w", err)
		}
		keys := make(map[pgtype.UUID]int32, len(rows))
		for _, row := range rows {
			keys[row.Fingerprint] = row.KindKey
		}
		return keys, nil
	})
}

func (w *Writer) addClients(ctx context.Context, q *db.Queries, wanted map[audit.Client]bool) error {
	value := func(c audit.Client) any {
		o := c.Origin()
		return clientJSON{nullText(o.IP), nullText(o.Country), nullText(o.City), nullText(o.Browser), nullText(o.Platform)}
	}
	return add(w.keys.clients, wanted, value, func(fingerprints []pgtype.UUID, encoded []json.RawMessage, _ []audit.Client) (map[pgtype.UUID]int32, error) {
		rows, err := q.AddClients(ctx, db.AddClientsParams{PortalID: w.Portal.ID, Fingerprints: fingerprints, Clients: encoded})
		if err != nil {
			return nil, fmt.Errorf("add clients: %w", err)
		}
		keys := make(map[pgtype.UUID]int32, len(rows))
		for _, row := range rows {
			keys[row.Fingerprint] = row.ClientKey
		}
		return keys, nil
	})
}

func (w *Writer) addPages(ctx context.Context, q *db.Queries, wanted map[string]bool) error {
	value := func(url string) any { return url }
	return add(w.keys.pages, wanted, value, func(fingerprints []pgtype.UUID, _ []json.RawMessage, urls []string) (map[pgtype.UUID]int32, error) {
		rows, err := q.AddPages(ctx, db.AddPagesParams{PortalID: w.Portal.ID, Fingerprints: fingerprints, URLs: urls})
		if err != nil {
			return nil, fmt.Errorf("add pages: %w", err)
		}
		keys := make(map[pgtype.UUID]int32, len(rows))
		for _, row := range rows {
			keys[row.Fingerprint] = row.PageKey
		}
		return keys, nil
	})
}

func (w *Writer) addContexts(ctx context.Context, q *db.Queries, wanted map[string]bool) error {
	value := func(context string) any { return context }
	return add(w.keys.contexts, wanted, value, func(fingerprints []pgtype.UUID, _ []json.RawMessage, contexts []string) (map[pgtype.UUID]int32, error) {
		titles := make([]string, len(contexts))
		for i, c := range contexts {
			titles[i], _ = audit.Title(c)
		}
		rows, err := q.AddContexts(ctx, db.AddContextsParams{PortalID: w.Portal.ID, Fingerprints: fingerprints, Contexts: contexts, Titles: titles})
		if err != nil {
			return nil, fmt.Errorf("add contexts: %w", err)
		}
		keys := make(map[pgtype.UUID]int32, len(rows))
		for _, row := range rows {
			keys[row.Fingerprint] = row.ContextKey
		}
		return keys, nil
	})
}

// roomKeys gives keys to rooms, or to unresolved titles.
func (w *Writer) roomKeys(ctx context.Context, q *db.Queries, wanted map[roomID]bool) error {
	byKind := map[bool][]string{}
	for _, id := range missing(w.keys.rooms, wanted) {
		byKind[id.unresolved] = append(byKind[id.unresolved], id.id)
	}
	for _, unresolved := range slices.Collect(maps.Keys(byKind)) {
		ids := byKind[unresolved]
		sort.Strings(ids)
		rows, err := q.AddRooms(ctx, db.AddRoomsParams{PortalID: w.Portal.ID, RoomIDs: ids, IsUnresolved: unresolved})
		if err != nil {
			return fmt.Errorf("add rooms: %w", err)
		}
		for _, row := range rows {
			w.keys.rooms[roomID{row.RoomID, unresolved}] = row.RoomKey
			if row.IsNew && !unresolved {
				w.forgetFolders()
			}
		}
	}
	return nil
}
