package docspace

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/url"
	"strconv"

	"roompulse/internal/audit"
)

// folder is a room, or any folder, as far as it is of use.
type folder struct {
	ID             text            `json:"id"`
	Title          string          `json:"title"`
	RoomType       json.RawMessage `json:"roomType"`
	RootFolderType json.RawMessage `json:"rootFolderType"`
	ProviderItem   bool            `json:"providerItem"`
	Created        string          `json:"created"`
	CreatedBy      struct {
		ID string `json:"id"`
	} `json:"createdBy"`
}

func (f folder) room() audit.Room {
	r := audit.Room{
		ID:       string(f.ID),
		Title:    storable(f.Title),
		Type:     max(0, roomTypes.short(f.RoomType)),
		OwnerID:  storable(f.CreatedBy.ID),
		Created:  dateOf(f.Created),
		Archived: folderTypes.short(f.RootFolderType) == folderTypeArchive,
	}
	_, err := strconv.ParseInt(r.ID, 10, 64)
	r.ThirdParty = f.ProviderItem || err != nil
	return r
}

// Rooms lists the portal's rooms, archived ones included, and its AI agents,
// by rising id. Templates are no rooms.
func (c *Client) Rooms(ctx context.Context) ([]audit.Room, error) {
	// No sortBy: to list in an order makes it the key owner's own order for good.
	rooms, err := c.folders(ctx, call{
		op: "list rooms", path: "/api/2.0/files/rooms", scope: "rooms:read", query: url.Values{"searchArea": {"Any"}},
	})
	if err != nil {
		return nil, err
	}
	agents, err := c.folders(ctx, call{
		op: "list AI agents", path: "/api/2.0/ai/agents", scope: "*:read", query: url.Values{}, optional: true,
	})
	if err != nil {
		if asError(err) == nil {
			return nil, err // canceled
		}
		// Portals before 3.6 have none, and others may run without the service.
		c.log.InfoContext(ctx, "taking the portal for one without AI agents", slog.Any("error", err))
	}
	known := make(map[text]bool, len(rooms))
	list := make([]audit.Room, 0, len(rooms)+len(agents))
	for _, f := range rooms {
		known[f.ID] = true
		list = append(list, f.room())
	}
	for _, f := range agents {
		if !known[f.ID] {
			r := f.room()
			r.Type = roomTypeAgent
			list = append(list, r)
		}
	}
	return list, nil
}

// folders reads a list of folders whose paging numbers lie within the response.
func (c *Client) folders(ctx context.Context, call call) ([]folder, error) {
	return readList(ctx, c, call, func(f folder) string { return string(f.ID) },
		func(startIndex, count int) (listPage[folder], error) {
			call := call.page(startIndex, count)
			env, err := c.get(ctx, call)
			if err != nil {
				return listPage[folder]{}, err
			}
			content, err := decode[struct {
				Folders []folder `json:"folders"`
				Total   *int     `json:"total"`
			}](c, call, env)
			return listPage[folder]{items: content.Folders, rows: len(content.Folders), total: orUnknown(content.Total)}, err
		})
}

// page asks for a part of the list.
func (c call) page(startIndex, count int) call {
	query := page(startIndex, count)
	maps.Copy(query, c.query)
	c.query = query
	return c
}

func orUnknown(total *int) int {
	if total == nil {
		return -1
	}
	return *total
}

// grant is an entry of a room's sharing list.
type grant struct {
	Access        json.RawMessage `json:"access"`
	SharedTo      *subject        `json:"sharedTo"` // the only one before DocSpace 3.5
	SharedToUser  *subject        `json:"sharedToUser"`
	SharedToGroup *subject        `json:"sharedToGroup"`
	SubjectType   json.RawMessage `json:"subjectType"`
	IsOwner       bool            `json:"isOwner"`
}

// subject is a person, a group or a link, whose secrets are left unread.
type subject struct {
	person
	Name string `json:"name"` // groups alone have one
}

// holder tells who holds the right: a person or a group, or neither for a link.
func (g grant) holder() (user, group *subject) {
	switch subjectTypes.short(g.SubjectType) {
	case 1, 3, 4: // links
		return nil, nil
	}
	switch {
	case g.SharedToUser != nil:
		return g.SharedToUser, nil
	case g.SharedToGroup != nil:
		return nil, g.SharedToGroup
	case g.SharedTo == nil:
		return nil, nil
	case g.SharedTo.DisplayName != "":
		return g.SharedTo, nil
	case g.SharedTo.Name != "":
		return nil, g.SharedTo
	}
	return nil, nil
}

// key tells entries apart. People deleted since all bear the same id. The owner
// stands in front of the list and may have a right of their own further down.
func (g grant) key() string {
	user, group := g.holder()
	switch {
	case user != nil && g.IsOwner:
		return "owner"
	case user != nil && audit.IsPerson(string(user.ID)):
		return "user " + string(user.ID)
	case group != nil:
		return "group " + string(group.ID)
	}
	return ""
}

// Members reads who may do what in a room: its owner, people and groups, but
// no links, and nobody deleted since. A room that the key cannot read has an
// empty list, which [audit.MemberList] marks; one that is gone gives audit.ErrGone.
func (c *Client) Members(ctx context.Context, roomID string) (audit.MemberList, error) {
	call := call{
		op:     "list members of room " + c.quote(roomID),
		path:   "/api/2.0/files/rooms/" + url.PathEscape(roomID) + "/share",
		query:  url.Values{"filterType": {"0"}}, // people and groups
		scope:  "rooms:read",
		single: true,
	}
	grants, err := readList(ctx, c, call, grant.key, func(startIndex, count int) (listPage[grant], error) {
		return arrayPage[grant](ctx, c, call.page(startIndex, count))
	})
	if err != nil {
		return audit.MemberList{}, err
	}
	list := audit.MemberList{Readable: len(grants) > 0}
	owner := "" // known before the users are: "owner" sorts before "user"
	for _, g := range grants {
		entry := audit.Grant{Access: audit.Access(max(0, accesses.short(g.Access))), Owner: g.IsOwner}
		switch user, group := g.holder(); {
		case user != nil && audit.IsPerson(string(user.ID)) && string(user.ID) != owner:
			entry.AccountID = string(user.ID)
			if g.IsOwner {
				owner = entry.AccountID
			}
			list.Accounts = append(list.Accounts, user.account())
		case group != nil && group.ID != "":
			entry.GroupID = string(group.ID)
		default:
			continue
		}
		list.Grants = append(list.Grants, entry)
	}
	return list, nil
}

// arrayPage reads a part of a list whose total stands in the envelope.
func arrayPage[T any](ctx context.Context, c *Client, call call) (listPage[T], error) {
	env, err := c.get(ctx, call)
	if err != nil {
		return listPage[T]{}, err
	}
	items, err := decode[[]T](c, call, env)
	return listPage[T]{items: items, rows: len(items), total: orUnknown(env.Total)}, err
}
