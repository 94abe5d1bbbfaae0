package audit

import (
	"strings"
	"time"
)

// ExclusionKind says what an exclusion names.
type ExclusionKind string

// The kinds of exclusion, as stored in the database.
const (
	ExcludeAccount ExclusionKind = "account"
	ExcludeDomain  ExclusionKind = "domain" // of e-mail addresses
	ExcludeRoom    ExclusionKind = "room"
	ExcludeGroup   ExclusionKind = "group"
)

// Exclusion is an administrator's decision that somebody is not judged: it
// holds for every report and reminder made while it stands, whatever the window.
type Exclusion struct {
	ID      int32
	Kind    ExclusionKind
	Subject string // id of the account, room or group; a domain in lower case
	Name    string // of the account, room or group, empty if not known
	Reason  string
	AddedAt time.Time
	// ExpiresAt is the first moment at which it stands no longer; zero: none.
	ExpiresAt time.Time
	// GroupMembers are the account ids of a group as of a window's end.
	GroupMembers []string
}

// Stands reports whether the exclusion has not expired.
func (x Exclusion) Stands(now time.Time) bool { return x.ExpiresAt.IsZero() || now.Before(x.ExpiresAt) }

// Excluder finds the exclusion that a member falls under.
type Excluder struct {
	accounts, domains, rooms map[string]int32 // to the lowest id
}

// NewExcluder looks among the exclusions that stand now. They are by rising id.
func NewExcluder(exclusions []Exclusion, now time.Time) Excluder {
	e := Excluder{accounts: make(map[string]int32), domains: make(map[string]int32), rooms: make(map[string]int32)}
	for _, x := range exclusions {
		if !x.Stands(now) {
			continue
		}
		add := func(to map[string]int32, subject string) {
			if _, ok := to[subject]; !ok {
				to[subject] = x.ID
			}
		}
		switch x.Kind {
		case ExcludeAccount:
			add(e.accounts, x.Subject)
		case ExcludeDomain:
			add(e.domains, x.Subject)
		case ExcludeRoom:
			add(e.rooms, x.Subject)
		case ExcludeGroup:
			for _, id := range x.GroupMembers {
				add(e.accounts, id)
			}
		}
	}
	return e
}

// Find returns the id of the exclusion that a member falls under, the oldest
// if there are several, and 0 if there is none.
func (e Excluder) Find(m MemberFacts) int32 {
	var oldest int32
	for _, id := range []int32{e.accounts[m.AccountID], e.domains[EmailDomain(m.Email)], e.rooms[m.RoomID]} {
		if id != 0 && (oldest == 0 || id < oldest) {
			oldest = id
		}
	}
	return oldest
}

// EmailDomain returns what follows the last @ of an address, in lower case.
// Without an @ it is empty.
func EmailDomain(address string) string {
	i := strings.LastIndexByte(address, '@')
	if i < 0 {
		return ""
	}
	return strings.ToLower(address[i+1:])
}
