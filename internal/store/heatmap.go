package store

import (
	"context"
	"fmt"
	"slices"

	"roompulse/db"
	"roompulse/internal/audit"
)

// BucketFacts is [Reader.InactiveFacts], and from the same state of the
// database it reads the activity by bucket of the members that shown picks, in
// their order.
func (r *Reader) BucketFacts(
	ctx context.Context, w audit.Window, rooms []string, filter audit.Filter, shown func(audit.Facts) ([]audit.MemberKey, error),
) ([]audit.BucketFacts, error) {
	var found []audit.BucketFacts
	err := r.store.readState(ctx, func(ctx context.Context, s state) error {
		facts, err := r.facts(ctx, s, w, func(ctx context.Context, s state, facts *audit.Facts) error {
			return inactiveFacts(ctx, s, r.portal, w, rooms, filter, 0, facts)
		})
		if err != nil {
			return err
		}
		members, err := shown(facts)
		if err != nil {
			return err
		}
		found, err = bucketFacts(ctx, s.q, r.portal, w, filter, members)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the warehouse: %w", err)
	}
	return found, nil
}

func bucketFacts(
	ctx context.Context, q *db.Queries, p Portal, w audit.Window, filter audit.Filter, members []audit.MemberKey,
) ([]audit.BucketFacts, error) {
	head, days, tail := w.Parts()
	buckets := w.Buckets()
	arg := db.ListMemberBucketsParams{
		PortalID: p.ID, FirstBucket: buckets.First, BucketDays: int32(buckets.Days), //nolint:gosec // 1 or 7
		Positions: make([]int32, len(members)), RoomIDs: make([]string, len(members)), AccountIDs: make([]string, len(members)),
		Views: filter.Counts(audit.ClassView), Edits: filter.Counts(audit.ClassEdit), Manages: filter.Counts(audit.ClassManage),
		Classes: countedClasses(filter), FirstDay: days.From, LastDay: days.To,
		HeadSince: head.From, HeadUntil: head.To, TailSince: tail.From, TailUntil: tail.To,
	}
	for i, m := range members {
		arg.Positions[i], arg.RoomIDs[i], arg.AccountIDs[i] = int32(i), m.RoomID, m.AccountID
	}
	rows, err := q.ListMemberBuckets(ctx, arg)
	if err != nil {
		return nil, fmt.Errorf("read activity by day: %w", err)
	}
	found := make([]audit.BucketFacts, len(members))
	for _, row := range rows {
		found[row.Position] = addBuckets(found[row.Position], audit.BucketFacts{Buckets: row.Buckets, Events: row.Events})
	}
	return found, nil
}

// countedClasses are the classes that a filter counts.
func countedClasses(filter audit.Filter) []int16 {
	var classes []int16
	for _, class := range []audit.Class{audit.ClassView, audit.ClassEdit, audit.ClassManage} {
		if filter.Counts(class) {
			classes = append(classes, int16(class))
		}
	}
	return classes
}

// addBuckets adds up events bucket by bucket.
func addBuckets(a, b audit.BucketFacts) audit.BucketFacts {
	if len(a.Buckets) == 0 {
		return b
	}
	for i, bucket := range b.Buckets {
		at, found := slices.BinarySearch(a.Buckets, bucket)
		if found {
			a.Events[at] += b.Events[i]
		} else {
			a.Buckets, a.Events = slices.Insert(a.Buckets, at, bucket), slices.Insert(a.Events, at, b.Events[i])
		}
	}
	return a
}
