package docspace

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

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
	defer env.free()
	p := audit.EventPage{Events: make([]audit.Event, 0, count), PortalTime: env.date}
	items := itemReaders.Get().(*itemReader)
	defer itemReaders.Put(items)
	items.in.reset(env.Response)
	if items.in.PeekKind() != jsontext.KindBeginArray {
		_, err := decode[[]json.RawMessage](c, call, env) // of null there is none
		return p, err
	}
	_, _ = items.in.ReadToken() // the bracket seen above
	for items.in.more() {
		item, err := items.next()
		if err != nil { // cannot be: all of the answer has been read once
			return p, c.unexpected(call, "the answer is damaged: %v", err)
		}
		event, err := items.event(item)
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

func roomNumber(raw json.RawMessage) string {
	if raw == nil {
		return ""
	}
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
	r := newItemReader(raw)
	item, err := r.next()
	if err != nil || !r.in.end() {
		return audit.Event{}, errNoObject
	}
	return r.event(item)
}

var errNoObject = errors.New("the item is no JSON object")

// event makes an event of the item that was read last.
func (r *itemReader) event(item json.RawMessage) (audit.Event, error) {
	if item[0] != '{' {
		return audit.Event{}, errNoObject
	}
	var e audit.Event
	if !r.take(fieldID, func(raw json.RawMessage) bool {
		var ok bool
		e.ID, ok = wholeNumber(raw)
		return ok && e.ID > 0
	}) {
		return audit.Event{}, errors.New("the item has no id that is a positive number")
	}
	date := r.text(fieldDate)
	if !date.Valid {
		return audit.Event{}, errors.New("the item has no date")
	}
	var err error
	if e.At, e.Offset, err = parseDate(date.String); err != nil {
		return audit.Event{}, err
	}

	e.ActorName = r.text(fieldUser).String
	e.ActorID = r.account(fieldUserID)
	if e.ActorID == "" {
		e.ActorID = r.account(fieldAccount)
	}
	if e.ActorID == "" {
		e.ActorID = audit.AccountNobody
	}
	e.Text = r.text(fieldAction)
	e.Client = audit.NewClient(audit.Origin{
		IP: r.text(fieldIP), Country: r.text(fieldCountry), City: r.text(fieldCity),
		Browser: r.text(fieldBrowser), Platform: r.text(fieldPlatform),
	})
	e.Page = r.text(fieldPage)
	e.Page.String = redactAddress(e.Page.String)
	r.take(fieldTarget, func(raw json.RawMessage) (ok bool) {
		e.Target, ok = r.targets(raw)
		return ok
	})
	e.Kind = r.kind()
	e.Context = r.text(fieldContext)
	if r.understood() { // as every item of a DocSpace is
		return e, nil
	}
	e.Payload = r.payload()
	e.Extra = r.extra()
	return e, nil
}

func (r *itemReader) kind() audit.Kind {
	var k audit.Kind
	r.take(fieldActionID, func(raw json.RawMessage) bool {
		id, ok := actions().number(raw, math.MaxInt32)
		if ok {
			k.ActionID = int32(id) //nolint:gosec // limited above
		}
		return ok
	})
	k.Type = r.enum(fieldActionType, actionTypes)
	k.Product = r.enum(fieldProduct, products)
	k.Location = r.enum(fieldLocation, locations)
	if !k.Location.Valid {
		k.Location = r.enum(fieldModule, locations) // its name before DocSpace 3.5
	}
	r.take(fieldEntries, func(raw json.RawMessage) bool {
		var numbers []byte
		ok := r.list(raw, func(entry json.RawMessage) bool {
			n := entryTypes.short(entry)
			if numbers != nil {
				numbers = append(numbers, ',')
			}
			numbers = strconv.AppendInt(numbers, int64(n), 10)
			return n >= 0
		})
		if ok {
			k.Entries = r.texts.share(numbers)
		}
		return ok
	})
	return k
}

// All of it stays in Extra as well: no column of the warehouse has it.
func (r *itemReader) payload() audit.Payload {
	for _, f := range []field{fieldRoomID, fieldSpaceID, fieldFolderID, fieldEntity, fieldEntityType, fieldTargetType} {
		r.take(f, func(json.RawMessage) bool { return false }) // a null says nothing
	}
	p := audit.Payload{RoomID: r.room(fieldRoomID), FolderID: r.room(fieldFolderID)}
	if p.RoomID == "" {
		p.RoomID = r.room(fieldSpaceID)
	}
	for _, f := range []field{fieldEntityType, fieldTargetType, fieldEntity} {
		if p.EntityType, _ = stringOf(r.fields[f]); p.EntityType != "" {
			break
		}
	}
	raw := r.fields[fieldEntity]
	if raw == nil {
		return p
	}
	var entity struct {
		RoomID  json.RawMessage `json:"roomId"`
		SpaceID json.RawMessage `json:"spaceId"`
	}
	if json.Unmarshal(raw, &entity) == nil {
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

// targets reads an array of texts and numbers, or a single one. No null is in
// it, as DocSpace has none there.
func (r *itemReader) targets(raw json.RawMessage) ([]string, bool) {
	if id, ok := r.id(raw); ok {
		return []string{id}, true
	}
	list := []string{}
	ok := r.list(raw, func(target json.RawMessage) bool {
		id, ok := r.id(target)
		list = append(list, id)
		return ok
	})
	if !ok {
		return nil, false
	}
	return list, true
}
