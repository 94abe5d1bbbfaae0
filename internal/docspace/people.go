package docspace

import (
	"context"
	"encoding/json"
	"html"
	"net/url"
	"time"

	"roompulse/internal/audit"
)

// person is an account as the portal lists it.
type person struct {
	ID               text            `json:"id"`
	DisplayName      string          `json:"displayName"` // HTML-encoded
	Email            string          `json:"email"`
	Status           json.RawMessage `json:"status"`
	IsVisitor        bool            `json:"isVisitor"`
	IsOwner          bool            `json:"isOwner"`
	RegistrationDate string          `json:"registrationDate"`
}

func (p person) account() audit.Account {
	a := audit.Account{
		ID:         string(p.ID),
		Name:       storable(html.UnescapeString(p.DisplayName)),
		Email:      storable(p.Email),
		Status:     audit.AccountActive,
		Guest:      p.IsVisitor,
		Owner:      p.IsOwner,
		Registered: dateOf(p.RegistrationDate),
	}
	switch employeeStatuses.short(p.Status) {
	case 2:
		a.Status = audit.AccountDisabled
	case 4:
		a.Status = audit.AccountPending
	}
	return a
}

// Accounts lists everybody who has an account, disabled people and those who
// have not accepted their invitation included, but nobody deleted.
func (c *Client) Accounts(ctx context.Context) ([]audit.Account, error) {
	call := call{
		op: "list people", path: "/api/2.0/people/filter", scope: "accounts:read",
		query: url.Values{"sortBy": {"email"}, "sortOrder": {"ascending"}}, // the default order has ties
	}
	people, err := readList(ctx, c, call, func(p person) string { return string(p.ID) },
		func(startIndex, count int) (listPage[person], error) {
			return arrayPage[person](ctx, c, call.page(startIndex, count))
		})
	if err != nil {
		return nil, err
	}
	accounts := make([]audit.Account, len(people))
	for i, p := range people {
		accounts[i] = p.account()
	}
	return accounts, nil
}

type group struct {
	ID      text     `json:"id"`
	Name    string   `json:"name"`
	Members []person `json:"members"`
}

func (g group) group() audit.Group {
	a := audit.Group{ID: string(g.ID), Name: storable(g.Name)}
	for _, p := range g.Members {
		a.MemberIDs = append(a.MemberIDs, string(p.ID))
	}
	return a
}

// Groups lists the groups of people, without their members.
func (c *Client) Groups(ctx context.Context) ([]audit.Group, error) {
	call := call{op: "list groups", path: "/api/2.0/group", scope: "accounts:read"}
	list, err := readList(ctx, c, call, func(g group) string { return string(g.ID) },
		func(startIndex, count int) (listPage[group], error) {
			return arrayPage[group](ctx, c, call.page(startIndex, count))
		})
	if err != nil {
		return nil, err
	}
	groups := make([]audit.Group, len(list))
	for i, g := range list {
		groups[i] = g.group()
	}
	return groups, nil
}

// Group reads a group with its active members.
func (c *Client) Group(ctx context.Context, id string) (audit.Group, error) {
	g, err := read[group](ctx, c, call{
		op: "read group " + c.quote(id), path: "/api/2.0/group/" + url.PathEscape(id),
		query: url.Values{"includeMembers": {"true"}}, scope: "accounts:read", single: true,
	})
	if err != nil {
		return audit.Group{}, err
	}
	return g.group(), nil
}

// Self reads the account that the key acts for.
func (c *Client) Self(ctx context.Context) (audit.Account, error) {
	p, err := read[person](ctx, c, call{
		op: "read the key's owner", path: "/api/2.0/people/@self", scope: "accounts.self:read",
	})
	if err != nil {
		return audit.Account{}, err
	}
	return p.account(), nil
}

// KeyInfo is what the portal says of the client's API key.
type KeyInfo struct {
	Name string
	// Permissions are the key's scopes; none means all.
	Permissions []string
	Created     time.Time
	Expires     time.Time // zero: never
	Active      bool
}

// Key reads what the client's API key is and may do. Before DocSpace 3.7 not
// every key may ask for that.
func (c *Client) Key(ctx context.Context) (KeyInfo, error) {
	k, err := read[struct {
		Name        string   `json:"name"`
		Permissions []string `json:"permissions"`
		CreateOn    string   `json:"createOn"`
		ExpiresAt   string   `json:"expiresAt"`
		IsActive    bool     `json:"isActive"`
	}](ctx, c, call{op: "read the key's own data", path: "/api/2.0/keys/@self", scope: "*:read"})
	if err != nil {
		return KeyInfo{}, err
	}
	return KeyInfo{
		Name: k.Name, Permissions: k.Permissions,
		Created: dateOf(k.CreateOn), Expires: dateOf(k.ExpiresAt), Active: k.IsActive,
	}, nil
}

// AuditLifetime reads for how many days DocSpace's own audit page and report
// look back. The audit trail itself reaches further.
func (c *Client) AuditLifetime(ctx context.Context) (days int, err error) {
	settings, err := read[struct {
		AuditTrailLifeTime int `json:"auditTrailLifeTime"`
	}](ctx, c, call{op: "read the audit settings", path: "/api/2.0/security/audit/settings/lifetime", scope: "*:read"})
	return settings.AuditTrailLifeTime, err
}

// read asks for one object.
func read[T any](ctx context.Context, c *Client, call call) (T, error) {
	env, err := c.get(ctx, call)
	if err != nil {
		return *new(T), err
	}
	return decode[T](c, call, env)
}
