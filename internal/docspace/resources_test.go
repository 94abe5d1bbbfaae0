package docspace

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"roompulse/internal/audit"
)

const (
	anna     = "3f6c1c1e-7a54-4e0e-9a0b-5d1f0c6f2a11"
	boris    = "b41d7e52-20c9-4c0f-8f0e-9be3c1a7d322"
	chloe    = "c9a2e0f4-5b3d-4d62-9f57-1c8e7b6a4433"
	dana     = "d7f01b9c-63ea-4b8f-a4d2-7f2c5e908844"
	analysts = "5e0b7c8a-44d1-4d7a-9c3b-2f1a6e7d5511"
)

func TestRooms(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/2.0/files/rooms":
			if r.URL.Query().Has("sortBy") || r.URL.Query().Get("searchArea") != "Any" {
				t.Errorf("asked %s", r.URL)
			}
			_, _ = w.Write(example(t, "rooms-list.2-archive-and-thirdparty.json"))
		case "/api/2.0/ai/agents":
			_, _ = w.Write([]byte(`{"response":{"folders":[{"id":9,"title":"Helper","rootFolderType":34,"createdBy":{"id":"` + anna + `"}},
				{"id":640,"title":"listed above"}],"count":2,"total":2},"count":1}`))
		default:
			t.Errorf("asked %s", r.URL)
		}
	})
	rooms, err := c.Rooms(t.Context())
	created := time.Date(2026, 3, 2, 9, 15, 0, 0, time.UTC)
	want := []audit.Room{
		{ID: "640", Title: "Pilot 2025", Type: 8, OwnerID: anna, Created: created, Archived: true},
		{ID: "sbox-7", Title: "Partner drive", Type: 5, OwnerID: anna, Created: created, Archived: true, ThirdParty: true},
		{ID: "9", Title: "Helper", Type: 9, OwnerID: anna},
	}
	if err != nil || !reflect.DeepEqual(rooms, want) {
		t.Errorf("got  %+v, %v\nwant %+v", rooms, err, want)
	}
}

func TestRoomsOfAPortalWithoutAgents(t *testing.T) {
	t.Parallel()
	for _, status := range []int{402, 403, 404} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/2.0/ai/agents" {
				w.WriteHeader(status)
				return
			}
			_, _ = w.Write(example(t, "rooms-list.1-active.json"))
		})
		rooms, err := c.Rooms(t.Context())
		if err != nil || len(rooms) != 2 || rooms[0].ID != "812" || rooms[0].Archived || rooms[0].ThirdParty {
			t.Errorf("%d for agents: %+v, %v", status, rooms, err)
		}
	}
}

// The agents' service may be down for good; the rooms are worth more than that.
func TestRoomsWhileTheAgentsServiceIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Config{Transport: inMemory(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/2.0/ai/agents" {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			_, _ = w.Write(example(t, "rooms-list.1-active.json"))
		})})
		start := time.Now()
		rooms, err := c.Rooms(t.Context())
		if err != nil || len(rooms) != 2 || time.Since(start) > time.Minute {
			t.Errorf("%+v, %v after %v", rooms, err, time.Since(start))
		}
	})
}

func TestMembers(t *testing.T) {
	t.Parallel()
	want := audit.MemberList{
		Readable: true,
		Grants: []audit.Grant{
			{GroupID: analysts, Access: audit.AccessEditor},
			{AccountID: anna, Access: audit.AccessOwner, Owner: true},
			{AccountID: boris, Access: audit.AccessRoomManager},
			{AccountID: dana, Access: audit.AccessViewer},
		},
		Accounts: []audit.Account{
			{ID: anna, Name: "Anna Kern", Email: "anna.kern@example.org", Status: audit.AccountActive, Owner: true},
			{ID: boris, Name: "Boris Lind", Email: "boris.lind@example.org", Status: audit.AccountActive},
			{ID: dana, Name: "dana.ortiz@partner.example", Email: "dana.ortiz@partner.example", Status: audit.AccountPending, Guest: true},
		},
	}
	for i := range want.Accounts {
		want.Accounts[i].Registered = time.Date(2026, 1, 12, 8, 0, 0, 0, time.UTC)
	}
	whole := string(example(t, "room-share.1-users-and-groups.json"))
	for name, body := range map[string]string{
		"3.7":            whole,
		"before 3.5":     strings.NewReplacer(`"sharedToUser"`, `"x"`, `"sharedToGroup"`, `"y"`).Replace(whole),
		"names of enums": strings.NewReplacer(`"access": 9`, `"access": "RoomManager"`, `"subjectType": 2`, `"subjectType": "Group"`).Replace(whole),
	} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/api/2.0/files/rooms/812/share" || r.URL.Query().Get("filterType") != "0" {
				t.Errorf("asked %s", r.URL)
			}
			_, _ = w.Write([]byte(body))
		})
		got, err := c.Members(t.Context(), "812")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got  %+v, %v\nwant %+v", name, got, err, want)
		}
	}

	got, err := serveExample(t, "room-share.3-not-readable.json").Members(t.Context(), "977")
	if err != nil || got.Readable || got.Grants != nil {
		t.Errorf("a room that cannot be read: %+v, %v", got, err)
	}
	links := string(example(t, "room-share.2-links.json"))
	for _, body := range []string{links, strings.ReplaceAll(links, `"title"`, `"displayName"`)} {
		got, err = newClient(t, Config{Transport: answer(body)}).Members(t.Context(), "812")
		if err != nil || len(got.Grants) > 0 {
			t.Errorf("links are taken for members: %+v, %v", got, err)
		}
	}
}

// All people deleted since bear one id; the list counts each of them.
func TestMembersDeletedSince(t *testing.T) {
	t.Parallel()
	lost := `{"access":10,"sharedTo":{"id":"` + audit.AccountLost + `","displayName":"profile removed"},"subjectType":0}`
	c := newClient(t, Config{Transport: answer(`{"response":[` + strings.Repeat(lost+",", 2) +
		`{"access":1,"sharedTo":{"id":"` + anna + `","displayName":"Anna"},"isOwner":true,"subjectType":0}],"count":3,"total":3}`)})
	got, err := c.Members(t.Context(), "812")
	if err != nil || len(got.Grants) != 1 || len(got.Accounts) != 1 || c.Traffic().Requests != 1 {
		t.Errorf("%+v, %v, %+v", got, err, c.Traffic())
	}
}

// An owner with a right of their own stands in the list twice, and is the owner.
func TestMembersOwnerListedTwice(t *testing.T) {
	t.Parallel()
	entry := func(id string, access int, owner bool) string {
		return fmt.Sprintf(`{"access":%d,"sharedTo":{"id":%q,"displayName":"x"},"isOwner":%t,"subjectType":0}`, access, id, owner)
	}
	c := newClient(t, Config{Transport: answer(`{"response":[` + entry(chloe, 1, true) + `,` + entry(anna, 10, false) + `,` +
		entry(chloe, 10, false) + `],"count":3,"total":3}`)})
	got, err := c.Members(t.Context(), "812")
	want := []audit.Grant{
		{AccountID: chloe, Access: audit.AccessOwner, Owner: true}, {AccountID: anna, Access: audit.AccessEditor},
	}
	if err != nil || !reflect.DeepEqual(got.Grants, want) || len(got.Accounts) != 2 || c.Traffic().Requests != 1 {
		t.Errorf("%+v, %v, %+v", got, err, c.Traffic())
	}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	body := strings.Replace(string(example(t, "people-filter.json")), `"displayName": "Boris Lind"`, `"displayName": "Boris &quot;B&amp;B&quot; O&#39;Lind"`, 1)
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if q := r.URL.Query(); r.URL.Path != "/api/2.0/people/filter" || q.Get("sortBy") != "email" || q.Has("employeeStatus") {
			t.Errorf("asked %s", r.URL)
		}
		_, _ = w.Write([]byte(body))
	})
	got, err := c.Accounts(t.Context())
	if err != nil || len(got) != 4 {
		t.Fatal(got, err)
	}
	statuses := map[string]audit.AccountStatus{}
	for _, a := range got {
		statuses[a.ID] = a.Status
	}
	want := map[string]audit.AccountStatus{
		boris: audit.AccountActive, chloe: audit.AccountActive, dana: audit.AccountPending,
		"e2b90c77-1d4f-4a85-93b6-8e5d7c1f0a77": audit.AccountDisabled,
	}
	if !reflect.DeepEqual(statuses, want) {
		t.Errorf("statuses %v", statuses)
	}
	if got[0].Name != `Boris "B&B" O'Lind` {
		t.Errorf("name %q", got[0].Name)
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	g, err := serveExample(t, "group.json").Group(t.Context(), analysts)
	if want := (audit.Group{ID: analysts, Name: "Analysts", MemberIDs: []string{boris, chloe}}); err != nil || !reflect.DeepEqual(g, want) {
		t.Errorf("%+v, %v", g, err)
	}
	c := newClient(t, Config{Transport: answer(`{"response":[{"id":"` + analysts + `","name":"Analysts","membersCount":2}],"count":1,"total":1}`)})
	groups, err := c.Groups(t.Context())
	if want := []audit.Group{{ID: analysts, Name: "Analysts"}}; err != nil || !reflect.DeepEqual(groups, want) {
		t.Errorf("%+v, %v", groups, err)
	}
}

func TestRoomLog(t *testing.T) {
	t.Parallel()
	var asked string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		_, _ = w.Write(example(t, "folder-log.1-grouped-upload.json"))
	})
	from := time.Date(2026, 9, 14, 0, 0, 0, 0, time.UTC)
	p, err := c.RoomLog(t.Context(), "812", from, time.Time{}, 3, 100)
	if err != nil || p.Rows != 3 || p.Total != 57 || len(p.Entries) != 3 {
		t.Fatalf("%+v, %v", p, err)
	}
	if want := "/api/2.0/files/folder/812/log?count=100&fromDate=2026-09-14T00%3A00%3A00Z&startIndex=3"; asked != want {
		t.Errorf("asked %s, want %s", asked, want)
	}
	for i, id := range []int64{90418, 90415, 90412} {
		if e := p.Entries[i]; e.EventID != id || e.ActionID != 5011 || e.ActorID != anna {
			t.Errorf("entry %+v", e)
		}
	}

	p, err = serveExample(t, "folder-log.2-membership.json").RoomLog(t.Context(), "812", from, from, 0, 100)
	at := dateOf
	want := []audit.LogEntry{
		{EventID: 90655, At: at("2026-09-15T16:20:00Z"), ActionID: 5085, ActorID: audit.AccountSystem, AccountID: dana, Access: "Viewer"},
		{EventID: 90604, At: at("2026-09-15T09:02:44Z"), ActionID: 5075, ActorID: boris, AccountID: chloe, Access: "Reviewer"},
		{EventID: 90603, At: at("2026-09-15T09:02:10Z"), ActionID: 5094, ActorID: boris, GroupID: analysts, Access: "Editor"},
		{EventID: 90409, At: at("2026-09-14T14:05:31Z"), ActionID: 5085, ActorID: boris, AccountID: chloe, Access: "Editor"},
	}
	if err != nil || !reflect.DeepEqual(p.Entries, want) {
		t.Errorf("got  %+v, %v\nwant %+v", p.Entries, err, want)
	}

	p, err = serveExample(t, "folder-log.3-moved-deleted-user-anonymous.json").RoomLog(t.Context(), "812", from, from, 0, 100)
	if err != nil || len(p.Entries) != 3 || p.Entries[0].ActorID != audit.AccountNobody || p.Entries[2].ActorID != audit.AccountLost {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestRoomLogOddities(t *testing.T) {
	t.Parallel()
	const entry = `"initiator":{"id":"u"},"date":"2026-09-14T14:05:31Z"`
	c := newClient(t, Config{Transport: answer(`{"response":[
		{"action":{"id":5071,"key":"RoomRenamed"},` + entry + `,"data":{"id":812,"oldTitle":"A","newTitle":"B"}},
		{"action":{"id":5159},` + entry + `,"data":{"owner":{"id":"new"},"oldOwner":{"id":"old"}}},
		{"id":3,"action":{"id":5026,"key":"FolderRenamed"},` + entry + `,"data":{"oldTitle":"x","newTitle":"y"}},
		{"id":4,"action":{"key":"RoomArchived"},` + entry + `},
		{"id":5,"action":{"id":5999},"initiator":{"id":"u"},"date":"2026-09-14"}],"count":-3,"total":5}`)})
	p, err := c.RoomLog(t.Context(), "812", time.Time{}, time.Time{}, 8, 100)
	at := time.Date(2026, 9, 14, 14, 5, 31, 0, time.UTC)
	want := audit.LogPage{Total: 5, Entries: []audit.LogEntry{
		{At: at, ActionID: 5071, ActorID: "u", OldTitle: "A", NewTitle: "B"},
		{At: at, ActionID: 5159, ActorID: "u", AccountID: "new"},
		{EventID: 3, At: at, ActionID: 5026, ActorID: "u"},
		{EventID: 4, At: at, ActionID: 5072, ActorID: "u"},
	}}
	if err != nil || !reflect.DeepEqual(p, want) {
		t.Errorf("got  %+v, %v\nwant %+v", p, err, want)
	}
	if _, err := c.RoomLog(t.Context(), "sbox-7", at, at, 0, 1); !errors.Is(err, audit.ErrNotReadable) {
		t.Errorf("log of a third-party room: %v", err)
	}
}

func TestLookups(t *testing.T) {
	t.Parallel()
	folder, err := serveExample(t, "file-info.json").FileFolder(t.Context(), "7290")
	if err != nil || folder != "833" {
		t.Errorf("folder %q, %v", folder, err)
	}
	place, err := serveExample(t, "folder-path.json").FolderPlace(t.Context(), "833")
	if err != nil || place.RoomID != "830" || !slices.Equal(place.Folders, []string{"833"}) {
		t.Errorf("place %+v, %v", place, err)
	}
	c := newClient(t, Config{Transport: answer(`{"response":[{"id":5,"title":"My documents","rootFolderType":5}]}`)})
	if place, err := c.FolderPlace(t.Context(), "5"); err != nil || place.RoomID != "" {
		t.Errorf("place %+v, %v of a folder outside of rooms", place, err)
	}
	var asked string
	c = newClient(t, Config{Transport: inMemory(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.EscapedPath()
		_, _ = w.Write([]byte(`{"response":{"folderId":"box-1"}}`))
	})})
	if folder, err := c.FileFolder(t.Context(), "box-3-a/../b?c"); err != nil || folder != "box-1" || asked != "/api/2.0/files/file/box-3-a%2F..%2Fb%3Fc" {
		t.Errorf("folder %q, %v by %s", folder, err, asked)
	}
}

func TestSelfKeyAndLifetime(t *testing.T) {
	t.Parallel()
	c := newClient(t, Config{Transport: answer(`{"response":{"id":"` + anna + `","displayName":"Anna &amp; Co","email":"a@example.org","status":1,"isOwner":true}}`)})
	self, err := c.Self(t.Context())
	if want := (audit.Account{ID: anna, Name: "Anna & Co", Email: "a@example.org", Status: audit.AccountActive, Owner: true}); err != nil || self != want {
		t.Errorf("%+v, %v", self, err)
	}
	key, err := serveExample(t, "key-self.json").Key(t.Context())
	if want := (KeyInfo{
		Name: "activity-ingester", Permissions: []string{"*:read"}, Active: true,
		Created: time.Date(2026, 9, 1, 6, 0, 0, 0, time.UTC), Expires: time.Date(2027, 9, 1, 6, 0, 0, 0, time.UTC),
	}); err != nil || !reflect.DeepEqual(key, want) {
		t.Errorf("%+v, %v", key, err)
	}
	days, err := serveExample(t, "audit-lifetime.json").AuditLifetime(t.Context())
	if err != nil || days != 180 {
		t.Errorf("%d days, %v", days, err)
	}
}
