package docspace

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"roompulse/internal/audit"
	"roompulse/internal/demoportal"
	"roompulse/internal/demoportal/world"
	"roompulse/internal/demoportal/worldgen"
)

var worldEnd = time.Date(2026, 11, 20, 16, 0, 0, 0, time.UTC)

func newWorld() *world.World {
	return worldgen.New(worldgen.Config{Seed: 7, Rooms: 12, Events: 1500, Days: 60, End: worldEnd})
}

// portalTransport answers from a portal in memory; broken connections and
// hanging answers come through as such.
func portalTransport(p *demoportal.Portal) http.RoundTripper {
	return transportFunc(func(r *http.Request) (resp *http.Response, err error) {
		defer func() {
			switch cause := recover(); cause {
			case nil:
			case http.ErrAbortHandler:
				resp, err = nil, io.ErrUnexpectedEOF
			default:
				panic(cause)
			}
		}()
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		resp = w.Result()
		resp.Request = r
		return resp, nil
	})
}

func portalOf(w *world.World, o demoportal.Options) *demoportal.Portal {
	o.Now = func() time.Time { return worldEnd.Add(time.Hour) }
	return demoportal.New(w, o)
}

// readTrail reads all events, newest first.
func readTrail(ctx context.Context, c *Client) ([]audit.Event, error) {
	var events []audit.Event
	for {
		p, err := c.Events(ctx, worldEnd.AddDate(-1, 0, 0), worldEnd, len(events), 100)
		if err != nil {
			return nil, err
		}
		events = append(events, p.Events...)
		if p.Rows() < 100 {
			return events, nil
		}
	}
}

// All that a portal knows comes through, whatever goes wrong on the way.
func TestDemoPortalWithFaults(t *testing.T) {
	t.Parallel()
	w := newWorld()
	truth := w.Truth(worldEnd.Add(time.Hour))
	for name, version := range map[string]demoportal.Version{"3.7": demoportal.V37, "3.5": demoportal.V35, "3.4": demoportal.V34} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := portalOf(w, demoportal.Options{Version: version})
				p.SetFaults(func(f *demoportal.Faults) {
					f.Script = demoportal.RandomFaults(1, 0.3, demoportal.ServerError, demoportal.BadGateway, demoportal.Unavailable,
						demoportal.TooMany, demoportal.Truncated, demoportal.CutConnection, demoportal.Hang, demoportal.EmptyBody)
				})
				c := newClient(t, Config{Key: demoportal.DefaultKey, Transport: portalTransport(p)})

				events, err := readTrail(t.Context(), c)
				if err != nil {
					t.Fatal(err)
				}
				checkTrail(t, events, truth)
				checkRooms(t, c, truth)
				checkPeople(t, c, w)
				if traffic := c.Traffic(); traffic.Retries == 0 || traffic.Throttled == 0 {
					t.Errorf("nothing went wrong: %+v", traffic)
				}
			})
		})
	}
}

func checkTrail(t *testing.T, events []audit.Event, truth world.Truth) {
	t.Helper()
	got := make(map[int64]audit.Event)
	for _, e := range events {
		got[e.ID] = e
		if e.Extra != nil {
			t.Fatalf("unknown fields %s", e.Extra)
		}
		if e.Page.Valid {
			checkAddress(t, e.Page.String)
		}
	}
	listed := 0
	for fact := range truth.Events() {
		if !fact.Listed {
			continue
		}
		listed++
		e, ok := got[int64(fact.ID)]
		if !ok {
			t.Fatalf("event %d is missing", fact.ID)
		}
		location := sqlNumber(fact.Kind.Location)
		// In the repeated hour of a clock change the portal lists dates an hour late.
		if shift := e.At.Sub(fact.Date); (shift != 0 && shift != time.Hour) || e.ActorID != fact.Actor.ID ||
			e.ActorName != fact.Actor.Name() || e.Kind.ActionID != int32(fact.Kind.ID) || e.Kind.Location != location ||
			e.Client.Origin().IP.Valid == fact.Background {
			t.Fatalf("got  %+v\nwant %+v", e, fact)
		}
	}
	if len(got) != listed {
		t.Errorf("%d events, want %d", len(got), listed)
	}
}

func checkRooms(t *testing.T, c *Client, truth world.Truth) {
	t.Helper()
	rooms, err := c.Rooms(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]audit.Room)
	for _, r := range rooms {
		got[r.ID] = r
	}
	there := 0
	for _, r := range truth.Rooms() {
		if r.Deleted {
			if _, err := c.Members(t.Context(), r.ID); !errors.Is(err, audit.ErrGone) {
				t.Errorf("members of a room that is gone: %v", err)
			}
			continue
		}
		there++
		want := audit.Room{
			ID: r.ID, Title: r.Title, Type: int16(r.Type), OwnerID: r.Owner.ID, Created: got[r.ID].Created,
			Archived: r.Archived, ThirdParty: r.ThirdParty(),
		}
		if got[r.ID] != want || want.Created.IsZero() {
			t.Errorf("got  %+v\nwant %+v", got[r.ID], want)
		}
		checkMembers(t, c, r)
		checkLog(t, c, r.ID, truth)
	}
	if len(rooms) != there {
		t.Errorf("%d rooms, want %d", len(rooms), there)
	}
}

func checkMembers(t *testing.T, c *Client, r *world.Room) {
	t.Helper()
	list, err := c.Members(t.Context(), r.ID)
	if err != nil || !list.Readable {
		t.Fatalf("members of room %s: %+v, %v", r.ID, list, err)
	}
	got := make(map[string]audit.Access)
	for _, g := range list.Grants {
		if g.Owner != (g.AccountID == r.Owner.ID && g.Access == audit.AccessOwner) {
			t.Errorf("owner %+v", g)
		}
		if g.AccountID != r.Owner.ID || g.Owner { // the owner may hold an own right as well
			got[g.AccountID+g.GroupID] = g.Access
		}
	}
	want := map[string]audit.Access{r.Owner.ID: audit.AccessOwner}
	for g := range r.Grants() {
		switch {
		case g.Group != nil:
			want[g.Group.ID] = audit.Access(g.Access)
		case g.Account != r.Owner && !g.Account.Deleted:
			want[g.Account.ID] = audit.Access(g.Access)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("members of room %s: got  %v\nwant %v", r.ID, got, want)
	}
}

// checkLog reads a log whole and finds the room of its entries where they name an event.
func checkLog(t *testing.T, c *Client, roomID string, truth world.Truth) {
	t.Helper()
	for start := 0; ; {
		p, err := c.RoomLog(t.Context(), roomID, time.Time{}, time.Time{}, start, 37)
		if errors.Is(err, audit.ErrNotReadable) {
			if _, err := strconv.Atoi(roomID); err == nil {
				t.Errorf("the log of room %s cannot be read", roomID)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Entries) != p.Rows {
			t.Errorf("%d entries of %d rows", len(p.Entries), p.Rows)
		}
		for _, e := range p.Entries {
			if e.EventID == 0 {
				continue // before DocSpace 3.6
			}
			if fact, ok := truth.Event(int32(e.EventID)); !ok || fact.Subject != nil && !fact.Subject.Deleted && e.AccountID != fact.Subject.ID {
				t.Fatalf("entry %+v of room %s, really %+v", e, roomID, fact)
			}
		}
		if start += p.Rows; start >= p.Total {
			return
		}
	}
}

func checkPeople(t *testing.T, c *Client, w *world.World) {
	t.Helper()
	accounts, err := c.Accounts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]audit.Account)
	for _, a := range accounts {
		got[a.ID] = a
	}
	want := make(map[string]audit.Account)
	members := make(map[string][]string)
	w.Read(worldEnd.Add(time.Hour), func(v world.View) {
		for _, a := range v.Accounts() {
			if a.Deleted || a.Kind == world.SystemAccount {
				continue
			}
			status := map[world.AccountStatus]audit.AccountStatus{
				world.Active: audit.AccountActive, world.Disabled: audit.AccountDisabled, world.Pending: audit.AccountPending,
			}[a.Status]
			want[a.ID] = audit.Account{
				ID: a.ID, Name: a.Name(), Email: a.Email, Status: status, Guest: a.Kind == world.Guest,
				Owner: a.Kind == world.PortalOwner, Registered: got[a.ID].Registered,
			}
		}
		for _, g := range v.Groups() {
			for _, a := range g.Members() {
				if a.Status == world.Active && !a.Deleted {
					members[g.ID] = append(members[g.ID], a.ID)
				}
			}
		}
	})
	if !reflect.DeepEqual(got, want) {
		t.Errorf("people: got  %+v\nwant %+v", got, want)
	}
	groups, err := c.Groups(t.Context())
	if err != nil || len(groups) == 0 {
		t.Fatal(groups, err)
	}
	for _, g := range groups {
		g, err := c.Group(t.Context(), g.ID)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(g.MemberIDs)
		slices.Sort(members[g.ID])
		if g.ID != audit.GroupEveryone && !slices.Equal(g.MemberIDs, members[g.ID]) {
			t.Errorf("group %+v, want members %v", g, members[g.ID])
		}
	}
	self, err := c.Self(t.Context())
	if err != nil || self.ID != w.Owner().ID || !self.Owner {
		t.Errorf("self: %+v, %v", self, err)
	}
	if key, err := c.Key(t.Context()); err != nil || !key.Active {
		t.Errorf("key: %+v, %v", key, err)
	}
	if days, err := c.AuditLifetime(t.Context()); err != nil || days != 180 {
		t.Errorf("lifetime: %d, %v", days, err)
	}
	if now, err := c.Now(t.Context()); err != nil || !now.Equal(worldEnd.Add(time.Hour)) {
		t.Errorf("now: %v, %v", now, err)
	}
}

func TestDemoPortalRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld()
	const other = "sk-other"
	p := portalOf(w, demoportal.Options{Keys: []demoportal.Key{
		{Token: testKey, Owner: w.Owner(), Scopes: []string{"rooms:read"}},
		{Token: other, Owner: w.Owner(), Inactive: true},
	}})
	c := newClient(t, Config{Transport: portalTransport(p)})
	if rooms, err := c.Rooms(t.Context()); err != nil || len(rooms) == 0 {
		t.Errorf("%d rooms with rooms:read alone, %v", len(rooms), err)
	}
	if _, err := c.Now(t.Context()); !errors.Is(err, audit.ErrRefused) {
		t.Errorf("audit trail without its scope: %v", err)
	}
	p.SetFaults(func(f *demoportal.Faults) { f.Unreadable = func(string) bool { return true } })
	if list, err := c.Members(t.Context(), "812"); list.Readable || err != nil && !errors.Is(err, audit.ErrGone) {
		t.Errorf("members of a room that cannot be read: %+v, %v", list, err)
	}
	c = newClient(t, Config{Key: other, Transport: portalTransport(p)})
	if _, err := c.Accounts(t.Context()); !errors.Is(err, audit.ErrRefused) {
		t.Errorf("a key that is switched off: %v", err)
	}
	p.SetFaults(func(f *demoportal.Faults) { f.Suspended = true })
	if _, err := c.Groups(t.Context()); !errors.Is(err, audit.ErrRefused) {
		t.Errorf("a portal that is suspended: %v", err)
	}
}

// A portal without the audit option ignores what is asked; that is for the
// caller to notice, so nothing of the answer may be left out.
func TestDemoPortalWithoutAudit(t *testing.T) {
	t.Parallel()
	p := portalOf(newWorld(), demoportal.Options{})
	p.SetFaults(func(f *demoportal.Faults) { f.Audit = demoportal.AuditMissing })
	c := newClient(t, Config{Key: demoportal.DefaultKey, Transport: portalTransport(p)})
	page, err := c.Events(t.Context(), worldEnd.AddDate(0, 0, -9), worldEnd.AddDate(0, 0, -8), 0, 1)
	if err != nil || page.Rows() != 20 {
		t.Errorf("%d rows, %v", page.Rows(), err)
	}
	p.SetFaults(func(f *demoportal.Faults) { f.Audit = demoportal.AuditHidden })
	if _, err := c.Now(t.Context()); !errors.Is(err, audit.ErrRefused) {
		t.Errorf("a hidden audit section: %v", err)
	}
}

func TestDemoPortalOfTheSamplesShape(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := portalOf(w, demoportal.Options{SampleShape: true})
	events, err := readTrail(t.Context(), newClient(t, Config{Key: demoportal.DefaultKey, Transport: portalTransport(p)}))
	if err != nil || len(events) < 1000 {
		t.Fatal(len(events), err)
	}
	truth := w.Truth(worldEnd.Add(time.Hour))
	for _, e := range events {
		fact, ok := truth.Event(int32(e.ID))
		if !ok || e.ActorID != fact.Actor.ID {
			t.Fatalf("event %+v, really %+v", e, fact)
		}
		if fact.Room != nil && !fact.Room.ThirdParty() && e.Payload.RoomID != fact.Room.ID && e.Payload.FolderID == "" {
			t.Fatalf("event %+v of room %s", e, fact.Room.ID)
		}
	}
}

func sqlNumber(n int) sql.NullInt16 { return sql.NullInt16{Int16: int16(n), Valid: true} }
