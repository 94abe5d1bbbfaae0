package audit

import "strings"

// Classify says what an event counts as for its actor.
//
// ownMembership is true when the room's log shows that the actor of a
// RoomCreateUser or RoomRemoveUser is the very person who joined or left:
// being added by somebody else is no activity, and the event alone does not
// say who was added.
func Classify(e Event, ownMembership bool) Class {
	if !IsPerson(e.ActorID) {
		return ClassNobody
	}
	if e.Payload.EntityType != "" {
		return classifySample(e.Payload.EntityType)
	}
	action, known := LookupAction(e.Kind.ActionID)
	switch {
	case !known:
		return classifyUnknown(e.Kind)
	case action.ID == ActionRoomCreateUser, action.ID == ActionRoomRemoveUser:
		if ownMembership {
			return ClassManage
		}
		return ClassNone
	case action.Background && !e.Page.Valid:
		if origin := e.Client.Origin(); !origin.IP.Valid && !origin.Browser.Valid {
			return ClassNobody // the portal's own clean-up, credited to the owner
		}
	}
	return action.Class
}

// classifySample is the rule of the vendor's sample script: what concerns a
// file, a folder or a room counts.
func classifySample(entityType string) Class {
	entityType = strings.ToLower(entityType)
	for _, word := range []string{"file", "document", "folder", "room"} {
		if strings.Contains(entityType, word) {
			return ClassEdit
		}
	}
	return ClassNone
}

// classifyUnknown judges actions of newer portals by what the event says of
// itself: to take them for nothing would call people inactive after an upgrade.
func classifyUnknown(k Kind) Class {
	if !k.Product.Valid || k.Product.Int16 != ProductDocuments {
		return ClassNone
	}
	switch k.Type.Int16 {
	case TypeDownload:
		return ClassView
	case TypeUpdateAccess, TypeLink, TypeUnlink:
		return ClassManage
	}
	return ClassEdit
}

// Filter is a set of classes that a report counts.
type Filter string

// The filters of --activity.
const (
	FilterAny    Filter = "any"
	FilterView   Filter = "view"
	FilterEdit   Filter = "edit"
	FilterManage Filter = "manage"
)

// Filters lists the values of --activity.
func Filters() []Filter { return []Filter{FilterAny, FilterView, FilterEdit, FilterManage} }

// Counts reports whether events of class c are counted under the filter.
func (f Filter) Counts(c Class) bool {
	return c.Counts() && (f == FilterAny || string(f) == c.String())
}
