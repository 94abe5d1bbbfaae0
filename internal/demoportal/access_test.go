package demoportal_test

import (
	"fmt"
	"slices"
	"testing"

	"roompulse/internal/demoportal"
	"roompulse/internal/demoportal/world"
)

func TestScopesAndRights(t *testing.T) {
	t.Parallel()
	s := newScene()
	user := s.chloe // a member of Field Survey
	keys := []demoportal.Key{
		{Token: "all", Owner: s.anna},
		{Token: "read", Owner: s.anna, Scopes: []string{"*:read"}},
		{Token: "rooms", Owner: s.anna, Scopes: []string{"rooms:read"}},
		{Token: "files", Owner: s.anna, Scopes: []string{"files:read", "accounts:read"}},
		{Token: "write", Owner: s.anna, Scopes: []string{"accounts:write", "accounts.self:read"}},
		{Token: "user", Owner: user, Scopes: []string{"*:read"}},
		{Token: "manager", Owner: s.boris, Scopes: []string{"*:read"}},
		{Token: "expired", Owner: s.anna, Expires: day},
		{Token: "inactive", Owner: s.anna, Inactive: true},
		{Token: "disabled", Owner: s.emil},
	}
	p := demoportal.New(s.World, demoportal.Options{Now: fixed(s.end), Keys: keys})
	order := []string{"all", "read", "rooms", "files", "write", "user", "manager", "expired", "inactive", "disabled", "unknown"}
	for path, want := range map[string][]int{
		"security/audit/events/filter":         {200, 200, 403, 403, 403, 403, 403, 401, 401, 401, 401},
		"security/audit/types":                 {200, 200, 403, 403, 403, 403, 403, 401, 401, 401, 401},
		"keys/@self":                           {200, 200, 200, 200, 200, 200, 200, 401, 401, 401, 401},
		"files/rooms":                          {200, 200, 200, 403, 403, 200, 200, 401, 401, 401, 401},
		"files/rooms/" + s.survey.ID:           {200, 200, 200, 403, 403, 200, 200, 401, 401, 401, 401},
		"files/rooms/" + s.intake.ID:           {200, 200, 200, 403, 403, 403, 200, 401, 401, 401, 401},
		"files/folder/" + s.survey.ID + "/log": {200, 200, 403, 200, 403, 200, 200, 401, 401, 401, 401},
		"files/file/" + s.plan.ID:              {200, 200, 403, 200, 403, 200, 200, 401, 401, 401, 401},
		"people/@self":                         {200, 200, 403, 403, 200, 200, 200, 401, 401, 401, 401},
		"people/filter":                        {200, 200, 403, 200, 200, 403, 200, 401, 401, 401, 401},
		"people/" + s.boris.ID:                 {200, 200, 200, 200, 200, 200, 200, 401, 401, 401, 401},
		"group/" + s.analysts.ID:               {200, 200, 403, 200, 403, 200, 200, 401, 401, 401, 401},
		"ai/agents":                            {200, 200, 403, 403, 403, 200, 200, 401, 401, 401, 401},
		"people/room/" + s.survey.ID:           {200, 200, 403, 200, 200, 200, 200, 401, 401, 401, 401},
	} {
		for i, key := range order {
			e := ask(t, p, key, path)
			if e.Status != want[i] {
				t.Errorf("%s with key %s: %d, want %d", path, key, e.Status, want[i])
			}
			if e.Status == 401 && len(e.Body) > 0 {
				t.Errorf("%s with key %s: a 401 has a body", path, key)
			}
		}
	}
	// People see their own rooms only.
	type list struct{ Total int }
	for key, want := range map[string]int{"all": 3, "user": 2, "manager": 3} {
		if got := decode[list](t, ask(t, p, key, "files/rooms").Response).Total; got != want {
			t.Errorf("key %s sees %d rooms, want %d", key, got, want)
		}
	}
}

type member struct {
	Access       int            `json:"access"`
	IsOwner      bool           `json:"isOwner"`
	SubjectType  int            `json:"subjectType"`
	SharedToUser *employee      `json:"sharedToUser"`
	Group        *employee      `json:"sharedToGroup"`
	Link         map[string]any `json:"sharedLink"`
}

type employee struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
	Email       string `json:"email"`
	Status      int    `json:"status"`
	IsSystem    bool   `json:"isSystem"`
}

func TestMemberLists(t *testing.T) {
	t.Parallel()
	s := newScene()
	s.At(s.end, s.boris).AddGroup(s.survey, s.Everyone(), world.Viewer)
	p := demoportal.New(s.World, demoportal.Options{Now: fixed(s.end)})
	path := "files/rooms/" + s.survey.ID + "/share"
	names := func(query string) (list []string) {
		for _, m := range decode[[]member](t, get(t, p, path+query).Response) {
			switch {
			case m.SharedToUser != nil:
				list = append(list, fmt.Sprintf("%s %d", m.SharedToUser.DisplayName, m.Access))
			case m.Group != nil:
				list = append(list, fmt.Sprintf("%s %d", m.Group.Name, m.Access))
			default:
				list = append(list, fmt.Sprint("link ", m.SubjectType))
			}
		}
		return list
	}
	for query, want := range map[string][]string{
		"":                      {"Boris Lind 1", "Anna Kern 9", "Analysts 10", "Everyone 2", "Chloe Marin 5", "dana.ortiz@partner.example 2"},
		"?filterType=User":      {"Boris Lind 1", "Anna Kern 9", "Chloe Marin 5", "dana.ortiz@partner.example 2"},
		"?filterType=32":        {"Analysts 10", "Everyone 2"},
		"?filterType=Link":      {"link 4"},
		"?count=2&startIndex=2": {"Analysts 10", "Everyone 2"},
		"?startIndex=50":        nil,
	} {
		if got := names(query); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	if e := get(t, p, path+"?startIndex=50"); *e.Count != 6-50 || *e.Total != 6 {
		t.Errorf("past the end: count %d, total %d", *e.Count, *e.Total)
	}
	// Admins who do not manage the room see no links, without an error.
	admin := s.At(s.end, s.anna).AddAccount(world.Person{First: "Ada", Kind: world.Admin})
	as := demoportal.New(s.World, demoportal.Options{Now: fixed(s.end), Keys: []demoportal.Key{{Token: demoportal.DefaultKey, Owner: admin}}})
	if e := get(t, as, path+"?filterType=Link"); *e.Total != 0 {
		t.Errorf("an admin sees %d links", *e.Total)
	}
	if e := get(t, as, path+"?filterType=PrimaryExternalLink"); *e.Total != 1 {
		t.Errorf("an admin sees %d primary links", *e.Total)
	}
	// What is unreadable looks empty.
	p.SetFaults(func(f *demoportal.Faults) { f.Unreadable = func(string) bool { return true } })
	if e := get(t, p, path); *e.Total != 0 || string(e.Response) != "[]" {
		t.Errorf("unreadable: %s", e.Body)
	}
}

func TestGroupsAndPeople(t *testing.T) {
	t.Parallel()
	s := newScene()
	p := demoportal.New(s.World, demoportal.Options{Now: fixed(s.end)})
	type group struct {
		Members      []employee
		MembersCount int
	}
	people := func(path string) (list []string) {
		for _, e := range decode[[]employee](t, get(t, p, path).Response) {
			list = append(list, e.DisplayName)
		}
		return list
	}
	for path, want := range map[string][]string{
		"people":                                             {"Anna Kern", "Boris Lind", "Chloe Marin"},
		"people/filter?sortBy=email":                         {"Anna Kern", "Boris Lind", "Chloe Marin", "dana.ortiz@partner.example", "&#201;mil O&#39;Brien"},
		"people/filter?employeeStatus=2":                     {"&#201;mil O&#39;Brien"},
		"people/filter?employeeStatus=Pending":               {"dana.ortiz@partner.example"},
		"people/filter?area=Guests":                          {"dana.ortiz@partner.example"},
		"people/filter?groupId=" + s.analysts.ID:             {"Boris Lind", "Chloe Marin"},
		"people/filter?count=2&startIndex=1&sortBy=email":    {"Boris Lind", "Chloe Marin"},
		"people/filter?filterValue=LIND":                     {"Boris Lind"},
		"people/room/" + s.intake.ID + "?includeShared=true": {"Boris Lind"},
	} {
		if got := people(path); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	if e := ask(t, p, demoportal.DefaultKey, "people/"+world.RemovedID); e.Status != 404 {
		t.Errorf("placeholder: %d", e.Status)
	}
	s.At(s.end, s.anna).Disable(s.chloe)
	if g := decode[group](t, get(t, p, "group/"+s.analysts.ID).Response); g.MembersCount != 1 || len(g.Members) != 1 {
		t.Errorf("group with a disabled member: %+v", g)
	}
	if g := decode[group](t, get(t, p, "group/"+world.EveryoneID).Response); g.MembersCount != 0 {
		t.Errorf("Everyone has %d member rows", g.MembersCount)
	}
	in := decode[[]struct {
		User       employee
		Overridden bool
		UserAccess int
	}](t, get(t, p, "files/folder/"+s.survey.ID+"/group/"+s.analysts.ID+"/share").Response)
	if len(in) != 2 || !in[0].Overridden || in[0].UserAccess != 9 || in[1].UserAccess != 5 || in[1].User.Status != 2 {
		t.Errorf("the group in the room: %+v", in)
	}
}

func TestRoomLists(t *testing.T) {
	t.Parallel()
	s := newScene()
	s.At(s.end, s.anna).CreateRoom(world.RoomSpec{Title: "Writer", Type: world.AIRoom})
	p := demoportal.New(s.World, demoportal.Options{Now: fixed(s.end)})
	type list struct {
		Folders []struct {
			ID    any    `json:"id"`
			Title string `json:"title"`
		}
		Count, Total, StartIndex int
	}
	for path, want := range map[string]int{
		"files/rooms": 3, "files/rooms?searchArea=Archive": 2, "files/rooms?searchArea=2": 5, "files/rooms?searchArea=Templates": 0,
		"files/rooms?searchArea=AiAgents": 1, "ai/agents": 1, "files/rooms?searchArea=Any&count=2&startIndex=4": 5, "files/rooms?type=1": 1,
	} {
		e := get(t, p, path)
		l := decode[list](t, e.Response)
		if l.Total != want || *e.Count != 1 || e.Total != nil || l.Count != len(l.Folders) {
			t.Errorf("%s: %+v, want %d", path, l, want)
		}
	}
	if l := decode[list](t, get(t, p, "files/rooms?searchArea=Archive&filterValue=drive").Response); l.Folders[0].ID != "sbox-7" {
		t.Errorf("a room in outside storage has id %v", l.Folders[0].ID)
	}
	if e := ask(t, p, demoportal.DefaultKey, "files/rooms?searchArea=8"); e.Status != 400 {
		t.Errorf("a search area of a newer release: %d", e.Status)
	}
	if path := decode[[]struct{ RoomType *int }](t, get(t, p, "files/folder/"+s.final.ID+"/path").Response); len(path) != 3 || path[1].RoomType == nil {
		t.Errorf("path: %+v", path)
	}
}
