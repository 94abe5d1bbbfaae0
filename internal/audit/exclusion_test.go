package audit_test

import (
	"testing"
	"time"

	"roompulse/internal/audit"
)

func TestExcluder(t *testing.T) {
	t.Parallel()
	now := at(t, "2026-11-22T14:00:00Z")
	exclusions := []audit.Exclusion{
		{ID: 1, Kind: audit.ExcludeAccount, Subject: "expired", ExpiresAt: now},
		{ID: 2, Kind: audit.ExcludeGroup, Subject: "g", GroupMembers: []string{"ann", "ben"}},
		{ID: 3, Kind: audit.ExcludeAccount, Subject: "ann"},
		{ID: 4, Kind: audit.ExcludeDomain, Subject: "partner.example"},
		{ID: 5, Kind: audit.ExcludeRoom, Subject: "7"},
		{ID: 6, Kind: audit.ExcludeAccount, Subject: "still", ExpiresAt: now.Add(time.Microsecond)},
		{ID: 7, Kind: audit.ExcludeDomain, Subject: "expired.example", ExpiresAt: now.Add(-time.Hour)},
	}
	e := audit.NewExcluder(exclusions, now)
	for _, tc := range []struct {
		name string
		m    audit.MemberFacts
		want int32
	}{
		{"nothing", audit.MemberFacts{AccountID: "cleo", RoomID: "8", Email: "cleo@acme.example"}, 0},
		{"nothing known", audit.MemberFacts{}, 0},
		{"expired now", audit.MemberFacts{AccountID: "expired"}, 0},
		{"expired domain", audit.MemberFacts{Email: "a@expired.example"}, 0},
		{"not expired yet", audit.MemberFacts{AccountID: "still"}, 6},
		{"group", audit.MemberFacts{AccountID: "ben"}, 2},
		{"the oldest of two", audit.MemberFacts{AccountID: "ann"}, 2},
		{"domain", audit.MemberFacts{AccountID: "dan", Email: "Dan@Partner.Example"}, 4},
		{"a subdomain is another domain", audit.MemberFacts{Email: "dan@mail.partner.example"}, 0},
		{"a longer name is another domain", audit.MemberFacts{Email: "dan@notpartner.example"}, 0},
		{"the last @ counts", audit.MemberFacts{Email: `"a@partner.example"@acme.example`}, 0},
		{"room", audit.MemberFacts{RoomID: "7"}, 5},
		{"room and domain", audit.MemberFacts{RoomID: "7", Email: "a@partner.example"}, 4},
		{"an id of another kind", audit.MemberFacts{AccountID: "7", RoomID: "ann"}, 0},
	} {
		if got := e.Find(tc.m); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
}
