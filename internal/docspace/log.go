package docspace

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"strconv"
	"time"

	"roompulse/internal/audit"
)

// act is an entry of a room's log. Acts of one person within a minute come as
// one entry with the rest as related ones.
type act struct {
	ID     int64 `json:"id"` // of the audit event; none before DocSpace 3.6
	Action struct {
		ID  json.RawMessage `json:"id"`
		Key json.RawMessage `json:"key"`
	} `json:"action"`
	Initiator struct {
		ID string `json:"id"`
	} `json:"initiator"`
	Date    string          `json:"date"`
	Data    json.RawMessage `json:"data"` // its fields depend on the action
	Related []act           `json:"related"`
}

func (a act) entry() (audit.LogEntry, bool) {
	at, _, err := parseDate(a.Date)
	if err != nil {
		return audit.LogEntry{}, false
	}
	id, ok := actions().number(a.Action.ID, math.MaxInt32)
	if !ok {
		id, ok = actions().number(a.Action.Key, math.MaxInt32)
	}
	if !ok {
		return audit.LogEntry{}, false
	}
	e := audit.LogEntry{
		EventID: a.ID, At: at, ActionID: int32(id), //nolint:gosec // limited above
		ActorID: storable(a.Initiator.ID),
	}
	type holder struct {
		ID text `json:"id"`
	}
	var data struct {
		ID       text   `json:"id"`
		ParentID text   `json:"parentId"`
		ToFolder text   `json:"toFolderId"` // of moves and copies, which have no parentId
		User     holder `json:"user"`
		Owner    holder `json:"owner"`
		Group    holder `json:"group"`
		Access   string `json:"access"`
		OldTitle string `json:"oldTitle"`
		NewTitle string `json:"newTitle"`
	}
	if unmarshal(a.Data, &data) != nil {
		return e, true // no data, or none of these kinds
	}
	e.AccountID = string(data.User.ID)
	if e.ActionID == audit.ActionRoomChangeOwner {
		e.AccountID = string(data.Owner.ID)
	}
	e.GroupID = string(data.Group.ID)
	if action, _ := audit.LookupAction(e.ActionID); action.Target.IsEntry() && data.ID != "0" { // 0 is a broken reference
		e.EntryID, e.ParentID = string(data.ID), string(cmp.Or(data.ParentID, data.ToFolder))
	}
	e.Access = storable(data.Access)
	if e.ActionID == audit.ActionRoomRenamed || e.ActionID == audit.ActionAgentRenamed {
		e.OldTitle, e.NewTitle = storable(data.OldTitle), storable(data.NewTitle)
	}
	return e, true
}

// RoomLog reads one page of a room's log: what happened in its whole tree
// between two instants, both included; a zero time leaves that end open. It is
// paged by rising age of the event ids, at most 100 rows a page; the next page
// begins LogPage.Rows later. Rooms in third-party storage have no log and give
// audit.ErrNotReadable.
func (c *Client) RoomLog(ctx context.Context, roomID string, from, to time.Time, startIndex, count int) (audit.LogPage, error) {
	op := "read the log of room " + c.quote(roomID)
	if _, err := strconv.ParseInt(roomID, 10, 64); err != nil {
		return audit.LogPage{}, fmt.Errorf("%s: a room in third-party storage has none: %w", op, audit.ErrNotReadable)
	}
	query := page(startIndex, count)
	if !from.IsZero() {
		query.Set("fromDate", dateParam(from))
	}
	if !to.IsZero() {
		query.Set("toDate", dateParam(to))
	}
	call := call{
		op: op, path: "/api/2.0/files/folder/" + url.PathEscape(roomID) + "/log",
		query: query, scope: "files:read", single: true,
	}
	env, err := c.get(ctx, call)
	if err != nil {
		return audit.LogPage{}, err
	}
	acts, err := decode[[]act](c, call, env)
	if err != nil {
		return audit.LogPage{}, err
	}
	p := audit.LogPage{
		Rows:  max(0, env.Count), // negative past the end
		Total: orUnknown(env.Total),
	}
	unread := 0
	add := func(a act) {
		if e, ok := a.entry(); ok {
			p.Entries = append(p.Entries, e)
		} else {
			unread++
		}
	}
	for _, a := range acts {
		add(a)
		for _, r := range a.Related {
			add(r)
		}
	}
	if unread > 0 {
		c.log.WarnContext(ctx, "left out entries of a room's log that have no date or no known action",
			slog.String("room", roomID), slog.Int("entries", unread))
	}
	return p, nil
}
