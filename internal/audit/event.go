package audit

import (
	"database/sql"
	"encoding/json"
	"slices"
	"time"
	"unique"
)

// Accounts that stand for no person.
const (
	AccountSystem    = "a37ee56e-3302-4a7b-b67e-ddbea64cd032" // the portal itself
	AccountAnonymous = "712d9ec3-5d2b-4b13-824f-71f00191dcca" // whoever came by a public link
	AccountNobody    = "00000000-0000-0000-0000-000000000000" // listed when an event has no actor
	AccountLost      = "4a515a15-d4d6-4b8e-828e-e0586f18f3a3" // histories show it in place of a deleted person
	AccountOutside   = "e78f4c20-2f3b-4a9d-ad13-5f298bd5a3ba" // a person of another portal

	// GroupEveryone is the system group that stands for all active accounts but guests.
	GroupEveryone = "c5cc67d1-c3e8-43c0-a3ad-3928ae3e5b5e"
)

// nobodies are the account ids that stand for no certain person.
var nobodies = [...]string{"", AccountSystem, AccountAnonymous, AccountNobody, AccountLost, AccountOutside}

// Nobodies returns the account ids that stand for no certain person.
func Nobodies() []string { return slices.Clone(nobodies[:]) }

// IsPerson reports whether an account id stands for one certain person.
func IsPerson(accountID string) bool { return !slices.Contains(nobodies[:], accountID) }

// Event is one item of a portal's audit trail, everything it sent included
// except secrets. Strings that the portal may leave out tell absent from
// empty: both occur, and they mean different things (see Origin).
type Event struct {
	ID        int64     // the portal's id, unique until the portal is restored or moved
	At        time.Time // when the portal recorded the act, UTC
	Offset    int       // of the zone the portal listed At in, seconds east of UTC
	ActorID   string    // account id, AccountNobody if none
	ActorName string    // the display name at the moment of listing
	Kind      Kind
	Text      sql.NullString // the portal's sentence about the act, in some language
	Client    Client
	Page      sql.NullString // the page it was done on, without query, fragment and share tokens
	Target    []string       // ids of what it was done to
	Context   sql.NullString // for documents "<word>: <title of the room>"
	// Payload is what the portal says itself of the event's room; DocSpace
	// says nothing, the vendor's sample expects it.
	Payload Payload
	Extra   json.RawMessage // fields of the item that roompulse does not know, a JSON object; nil if none
}

// Kind is what the portal lists about the sort of act. It depends on the
// action and the portal's version, so few kinds cover all events.
type Kind struct {
	ActionID int32         // 0 if the item has none
	Type     sql.NullInt16 // actionType
	Product  sql.NullInt16
	Location sql.NullInt16 // module before DocSpace 3.5
	Entries  string        // numbers of the kinds of entry, joined by commas; "" if none
}

// Origin is where an act came from. Acts that the portal does by itself in a
// person's name have no address and no browser.
type Origin struct {
	IP, Country, City, Browser, Platform sql.NullString
}

// Client stands for an Origin. Many events have one origin: equal ones share their memory and compare like
// numbers.
type Client struct{ handle unique.Handle[Origin] }

// NewClient returns the client of the origin.
func NewClient(o Origin) Client {
	if o == (Origin{}) {
		return Client{}
	}
	return Client{unique.Make(o)}
}

// Origin returns where the client is.
func (c Client) Origin() Origin {
	if c == (Client{}) {
		return Origin{}
	}
	return c.handle.Value()
}

// Payload holds a room named by the event itself.
type Payload struct {
	RoomID string // roomId, spaceId, entity.roomId or entity.spaceId
	// FolderID may be the room or any folder; it counts only if it is a known room's id.
	FolderID string
	// EntityType is the sample's entityType, else targetType, else entity; empty
	// on every real portal.
	EntityType string
}
