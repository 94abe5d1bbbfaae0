package store

import (
	"context"
	"fmt"
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
// of an account may be its e-mail address and that of a group its name. An
// earlier exclusion of the same subject ends. The error is a [audit.UsageError]
// if the portal has no such subject, or several.
func (r *Reader) AddExclusion(ctx context.Context, x audit.Exclusion) (audit.Exclusion, error) {
	err := pgx.BeginFunc(ctx, r.store.pool, func(tx pgx.Tx) (err error) {
		q := r.store.q.WithTx(tx)
		// Two at once would take the same number, or the same subject's place.
		if err := q.LockPortal(ctx, r.portal.ID); err != nil {
			return fmt.Errorf("lock the portal: %w", err)
		}
		if x.Kind != audit.ExcludeDomain {
			if x.Subject, x.Name, err = exclusionSubject(ctx, q, r.portal, x); err != nil {
				return err
			}
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
	found, err := q.ListExclusionSubjects(ctx, db.ListExclusionSubjectsParams{PortalID: p.ID, Kind: string(x.Kind), Subject: x.Subject})
	switch {
	case err != nil:
		return x.Subject, "", err
	case len(found) == 0 && x.Kind == audit.ExcludeGroup:
		return x.Subject, "", audit.Usagef("no room of %s gives or gave a right to such a group, and no others are known: exclude its people one by one, or their domain", p.Host)
	case len(found) == 0:
		return x.Subject, "", audit.Usagef("%s has none; a new one needs a roompulse sync", p.Host)
	case len(found) > 1:
		ids := make([]string, len(found))
		for i, row := range found {
			ids[i] = row.Subject
		}
		return x.Subject, "", audit.Usagef("there are several, give the id of one: %s", strings.Join(ids, ", "))
	case found[0].Subject == audit.GroupEveryone:
		return x.Subject, "", audit.Usagef("this group is everybody but guests: --guests only leaves them out of a report")
	}
	return found[0].Subject, found[0].Name, nil
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
