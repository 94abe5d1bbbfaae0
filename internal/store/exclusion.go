package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"roompulse/db"
	"roompulse/internal/audit"
)

// Exclusions returns the portal's exclusions that were not removed, by id,
// expired ones included.
func (r *Reader) Exclusions(ctx context.Context) ([]audit.Exclusion, error) {
	rows, err := r.store.q.ListExclusions(ctx, r.portal.ID)
	return toExclusions(rows), wrapExclusions(err)
}

// exclusions is Exclusions with the members of groups as of a moment.
func exclusions(ctx context.Context, q *db.Queries, p Portal, until time.Time) ([]audit.Exclusion, error) {
	rows, err := q.ListExclusions(ctx, p.ID)
	if err != nil {
		return nil, wrapExclusions(err)
	}
	people, err := q.ListExcludedPeople(ctx, db.ListExcludedPeopleParams{PortalID: p.ID, Until: until})
	if err != nil {
		return nil, wrapExclusions(err)
	}
	members := make(map[int32][]string)
	for _, row := range people {
		members[row.ExclusionID] = append(members[row.ExclusionID], row.AccountID)
	}
	list := toExclusions(rows)
	for i := range list {
		list[i].GroupMembers = members[list[i].ID]
	}
	return list, nil
}

func wrapExclusions(err error) error {
	if err != nil {
		return fmt.Errorf("read exclusions: %w", err)
	}
	return nil
}

func toExclusions(rows []db.ListExclusionsRow) []audit.Exclusion {
	list := make([]audit.Exclusion, len(rows))
	for i, row := range rows {
		list[i] = audit.Exclusion{
			ID: row.ExclusionID, Kind: audit.ExclusionKind(row.Kind), Subject: row.Subject, Name: row.Name, Reason: row.Reason,
			AddedAt: row.AddedAt.UTC(), ExpiresAt: zeroTime(row.ExpiresAt),
		}
	}
	return list
}

// AddExclusion stores an exclusion and returns it with its number. The subject
// of an account may be its e-mail address and that of a group its name, in any case unless
// several groups differ by it alone. An earlier exclusion of the same subject ends. The error is a [audit.UsageError]
// if the portal has no such subject, or several.
func (r *Reader) AddExclusion(ctx context.Context, x audit.Exclusion) (audit.Exclusion, error) {
	err := pgx.BeginFunc(ctx, r.store.pool, func(tx pgx.Tx) (err error) {
		q := r.store.q.WithTx(tx)
		// Two at once would take the same number, or the same subject's place.
		if err := q.LockPortal(ctx, r.portal.ID); err != nil {
			return fmt.Errorf("lock the portal: %w", err)
		}
		if x.Kind != audit.ExcludeDomain {
			id, name, err := exclusionSubject(ctx, q, r.portal, x)
			if err != nil {
				return err
			}
			x.Subject, x.Name = id, name
		}
		if err := q.ReplaceExclusion(ctx, db.ReplaceExclusionParams{
			PortalID: r.portal.ID, Kind: string(x.Kind), Subject: x.Subject, RemovedAt: x.AddedAt,
		}); err != nil {
			return err
		}
		x.ID, err = q.AddExclusion(ctx, db.AddExclusionParams{
			PortalID: r.portal.ID, Kind: string(x.Kind), Subject: x.Subject, Reason: x.Reason, AddedAt: x.AddedAt, ExpiresAt: nullTime(x.ExpiresAt),
		})
		return err
	})
	if err != nil {
		return x, fmt.Errorf("exclude the %s %q: %w", x.Kind, x.Subject, err)
	}
	return x, nil
}

// exclusionSubject finds what the subject of an exclusion means.
func exclusionSubject(ctx context.Context, q *db.Queries, p Portal, x audit.Exclusion) (id, name string, err error) {
	var found []named
	var otherwise string // what to do if nothing is found
	switch x.Kind {
	case audit.ExcludeRoom:
		rooms, err := listRooms(ctx, q, p, nil)
		if err != nil {
			return "", "", err
		}
		for _, room := range rooms {
			if room.RoomID == x.Subject {
				found = append(found, named{room.RoomID, room.Title})
			}
		}
		otherwise = p.Host + " has no such room: " + roomCandidates(x.Subject, rooms)
	case audit.ExcludeGroup:
		rows, err := q.ListGroups(ctx, p.ID)
		if err != nil {
			return "", "", fmt.Errorf("list groups: %w", err)
		}
		var groups, exact []named
		for _, row := range rows {
			if row.GroupID == x.Subject || row.Name == x.Subject {
				exact = append(exact, named{row.GroupID, row.Name})
			} else if strings.EqualFold(row.Name, x.Subject) {
				found = append(found, named{row.GroupID, row.Name})
			}
			if row.GroupID != audit.GroupEveryone {
				groups = append(groups, named{row.GroupID, row.Name})
			}
		}
		if len(exact) > 0 {
			found = exact
		}
		otherwise = "no room of " + p.Host + " gives or gave a right to such a group, and no others are known: " +
			suggestion("the id or the name of one", x.Subject, groups) + "people of others are excluded one by one, or by their domain"
	default:
		accounts, err := accountsNamed(ctx, q, p, x.Subject)
		if err != nil {
			return "", "", err
		}
		for _, a := range accounts {
			found = append(found, named{a.AccountID, a.Name})
		}
		if len(found) == 0 {
			instead, err := accountCandidates(ctx, q, p, x.Subject)
			if err != nil {
				return "", "", err
			}
			otherwise = p.Host + " has no such account: " + instead
		}
	}
	switch {
	case len(found) == 0:
		return "", "", audit.UsageError(otherwise)
	case len(found) > 1:
		return "", "", audit.Usagef("there are several, give the id of one: %s", candidates(x.Subject, found))
	case found[0].id == audit.GroupEveryone:
		return "", "", audit.Usagef("this group is everybody but guests: --guests only leaves them out of a report")
	}
	return found[0].id, found[0].name, nil
}

// WhyIdle says why an exclusion takes nobody out at a moment, and what comes near to its
// subject; it is empty if somebody falls under it.
func (r *Reader) WhyIdle(ctx context.Context, x audit.Exclusion, at time.Time) (string, error) {
	switch x.Kind {
	case audit.ExcludeDomain:
		domains, err := r.store.q.ListEmailDomains(ctx, r.portal.ID)
		if err != nil {
			return "", fmt.Errorf("list the domains of e-mail addresses: %w", err)
		}
		if slices.Contains(domains, x.Subject) {
			return "", nil
		}
		there := make([]named, len(domains))
		for i, domain := range domains {
			there[i].id = domain
		}
		why := fmt.Sprintf("nobody has an e-mail address of %s now", x.Subject)
		if len(there) > 0 {
			why += "; there are " + candidates(x.Subject, there)
		}
		return why, nil
	case audit.ExcludeGroup:
		people, err := r.store.q.ListExcludedPeople(ctx, db.ListExcludedPeopleParams{PortalID: r.portal.ID, Until: at})
		if err != nil {
			return "", wrapExclusions(err)
		}
		if !slices.ContainsFunc(people, func(row db.ListExcludedPeopleRow) bool { return row.ExclusionID == x.ID }) {
			return "nobody belongs to the group now", nil
		}
	case audit.ExcludeAccount, audit.ExcludeRoom: // they are there, or would have been refused
	}
	return "", nil
}

// RemoveExclusion ends an exclusion. The error is a [audit.UsageError] if there is none.
func (r *Reader) RemoveExclusion(ctx context.Context, id int32, at time.Time) error {
	removed, err := r.store.q.RemoveExclusion(ctx, db.RemoveExclusionParams{PortalID: r.portal.ID, ExclusionID: id, RemovedAt: at})
	if err != nil {
		return fmt.Errorf("remove exclusion %d: %w", id, err)
	}
	if removed == 0 {
		return audit.Usagef("%s has no exclusion %d; `roompulse exclude list` shows them", r.portal.Host, id)
	}
	return nil
}
