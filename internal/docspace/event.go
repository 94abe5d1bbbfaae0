package docspace

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"roompulse/internal/audit"
)

const eventsPath = "/api/2.0/security/audit/events/filter"

// Events reads one page of the audit trail: what happened from one second to
// another, both included and both whole seconds, newest first. The portal
// counts startIndex from 0 and lists at most 100 a page. A zero time leaves
// that end open.
//
// A portal without the audit option ignores all of it and lists up to twenty
// events of its own choice, without an error.
func (c *Client) Events(ctx context.Context, from, to time.Time, startIndex, count int) (audit.EventPage, error) {
	query := page(startIndex, count)
	if !from.IsZero() {
		query.Set("from", dateParam(from))
	}
	if !to.IsZero() {
		query.Set("to", dateParam(to))
	}
	call := call{op: "list audit events", path: eventsPath, query: query, scope: "*:read"}
	env, err := c.get(ctx, call)
	if err != nil {
		return audit.EventPage{}, err
	}
	items, err := decode[[]json.RawMessage](c, call, env)
	if err != nil {
		return audit.EventPage{}, err
	}
	p := audit.EventPage{Events: make([]audit.Event, 0, len(items)), PortalTime: env.date}
	for _, item := range items {
		event, err := decodeEvent(item)
		if err != nil {
			p.Undecodable = append(p.Undecodable, audit.Undecodable{
				SHA256: sha256.Sum256(item), Body: redactJSON(item), Reason: err.Error(),
			})
			continue
		}
		p.Events = append(p.Events, event)
	}
	return p, nil
}

// Decode makes an event of an item that an earlier version could not decode,
// from the form in which it was kept.
func (c *Client) Decode(item []byte) (audit.Event, error) { return decodeEvent(item) }

// Now reads the portal's own clock, in whole seconds, from the answer to the
// smallest request for the audit trail: who may not read that learns it here.
func (c *Client) Now(ctx context.Context) (time.Time, error) {
	p, err := c.Events(ctx, time.Time{}, time.Time{}, 0, 1)
	if err != nil {
		return time.Time{}, err
	}
	if p.PortalTime.IsZero() {
		return time.Time{}, fmt.Errorf("read the portal's clock: %s sends no valid Date header; a proxy before the portal may drop it", c.baseURL)
	}
	return p.PortalTime, nil
}

func page(startIndex, count int) url.Values {
	return url.Values{"startIndex": {strconv.Itoa(startIndex)}, "count": {strconv.Itoa(count)}}
}

// fields are those of an item that have not been understood yet. What is left
// in the end goes to Event.Extra: a newer portal's fields, and known ones of a
// type that is not theirs. A known field that is null is the same as none.
type fields map[string]json.RawMessage

func (f fields) take(name string, accept func(json.RawMessage) bool) bool {
	raw, ok := f[name]
	if !ok {
		return false
	}
	null := string(raw) == "null"
	ok = !null && accept(raw)
	if ok || null {
		delete(f, name)
	}
	return ok
}

func (f fields) text(name string) (s sql.NullString) {
	f.take(name, func(raw json.RawMessage) bool {
		s.String, s.Valid = stringOf(raw)
		return s.Valid
	})
	return s
}

// account takes an account's id; the sample allows any text, and numbers.
func (f fields) account(name string) (id string) {
	f.take(name, func(raw json.RawMessage) bool {
		var t text
		err := t.UnmarshalJSON(raw)
		id = string(t)
		return err == nil
	})
	return id
}

func (f fields) enum(name string, e enum) (n sql.NullInt16) {
	f.take(name, func(raw json.RawMessage) bool {
		n.Int16 = e.short(raw)
		n.Valid = n.Int16 >= 0
		return n.Valid
	})
	if !n.Valid {
		n.Int16 = 0
	}
	return n
}

// room takes a room's or folder's number, as text.
func (f fields) room(name string) string { return roomNumber(f[name]) }

func roomNumber(raw json.RawMessage) string {
	n, ok := wholeNumber(raw)
	if !ok || n <= 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// decodeEvent makes an event of an item: DocSpace's, or of the shape that the
// vendor's sample expects (account, roomId, spaceId, folderId, entity,
// entityType, targetType). An item without an id or a date is no event.
func decodeEvent(raw []byte) (audit.Event, error) {
	var f fields
	if err := json.Unmarshal(raw, &f); err != nil || f == nil {
		return audit.Event{}, errors.New("the item is no JSON object")
	}
	var e audit.Event
	if !f.take("id", func(raw json.RawMessage) bool {
		var ok bool
		e.ID, ok = wholeNumber(raw)
		return ok && e.ID > 0
	}) {
		return audit.Event{}, errors.New("the item has no id that is a positive number")
	}
	date := f.text("date")
	if !date.Valid {
		return audit.Event{}, errors.New("the item has no date")
	}
	var err error
	if e.At, e.Offset, err = parseDate(date.String); err != nil {
		return audit.Event{}, err
	}

	e.ActorID = f.account("userId")
	if e.ActorID == "" {
		e.ActorID = f.account("account")
	}
	if e.ActorID == "" {
		e.ActorID = audit.AccountNobody
	}
	e.ActorName = f.text("user").String
	e.Text = f.text("action")
	e.Context = f.text("context")
	e.Page = f.text("page")
	e.Page.String = redactAddress(e.Page.String)
	e.Origin = audit.Origin{
		IP: f.text("ip"), Country: f.text("country"), City: f.text("city"),
		Browser: f.text("browser"), Platform: f.text("platform"),
	}
	e.Kind = decodeKind(f)
	f.take("target", func(raw json.RawMessage) bool {
		var ok bool
		e.Target, ok = texts(raw)
		return ok
	})
	e.Payload = decodePayload(f)
	e.Extra = f.extra()
	return e, nil
}

func decodeKind(f fields) audit.Kind {
	var k audit.Kind
	f.take("actionId", func(raw json.RawMessage) bool {
		id, ok := actions().number(raw, math.MaxInt32)
		if ok {
			k.ActionID = int32(id) //nolint:gosec // limited above
		}
		return ok
	})
	k.Type = f.enum("actionType", actionTypes)
	k.Product = f.enum("product", products)
	k.Location = f.enum("location", locations)
	if !k.Location.Valid {
		k.Location = f.enum("module", locations) // its name before DocSpace 3.5
	}
	f.take("entries", func(raw json.RawMessage) bool {
		var items []json.RawMessage
		if json.Unmarshal(raw, &items) != nil {
			return false
		}
		numbers := make([]string, len(items))
		for i, item := range items {
			n := entryTypes.short(item)
			if n < 0 {
				return false
			}
			numbers[i] = strconv.Itoa(int(n))
		}
		k.Entries = strings.Join(numbers, ",")
		return true
	})
	return k
}

// All of it stays in Extra as well: no column of the warehouse has it.
func decodePayload(f fields) audit.Payload {
	for _, name := range []string{"roomId", "spaceId", "folderId", "entity", "entityType", "targetType"} {
		f.take(name, func(json.RawMessage) bool { return false }) // a null says nothing
	}
	p := audit.Payload{RoomID: f.room("roomId"), FolderID: f.room("folderId")}
	if p.RoomID == "" {
		p.RoomID = f.room("spaceId")
	}
	for _, name := range []string{"entityType", "targetType", "entity"} {
		if json.Unmarshal(f[name], &p.EntityType) == nil && p.EntityType != "" {
			break
		}
	}
	var entity struct {
		RoomID  json.RawMessage `json:"roomId"`
		SpaceID json.RawMessage `json:"spaceId"`
	}
	if raw := f["entity"]; json.Unmarshal(raw, &entity) == nil {
		if p.RoomID == "" {
			p.RoomID = cmp.Or(roomNumber(entity.RoomID), roomNumber(entity.SpaceID))
		}
		// The two versions of the sample read an object in place of a type in
		// two ways. This is Python's, which looks for words in all of it: to
		// count too little would call people inactive.
		if p.EntityType == "" {
			p.EntityType = string(redactJSON(raw))
		}
	}
	return p
}

// texts reads an array of texts and numbers, or a single one. No null is in it,
// as DocSpace has none there.
func texts(raw json.RawMessage) ([]string, bool) {
	var one text
	if string(raw) != "null" && one.UnmarshalJSON(raw) == nil {
		return []string{string(one)}, true
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return nil, false
	}
	list := make([]string, len(items))
	for i, item := range items {
		var t text
		if string(item) == "null" || t.UnmarshalJSON(item) != nil {
			return nil, false
		}
		list[i] = string(t)
	}
	return list, true
}

// extra is what is left, as one object; nil if nothing is.
func (f fields) extra() json.RawMessage {
	if len(f) == 0 {
		return nil
	}
	rest := redactJSON(encode(f))
	if string(rest) == "{}" {
		return nil
	}
	return rest
}
