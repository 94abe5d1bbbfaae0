package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"roompulse/db"
	"roompulse/internal/audit"
)

// named is something that users name, such as a room or a group.
type named struct{ id, name string }

// CheckRooms returns a [audit.UsageError] that names candidates if the portal has no room with one of the ids.
func (r *Reader) CheckRooms(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	known, err := listRooms(ctx, r.store.q, r.portal, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if slices.ContainsFunc(known, func(room db.Room) bool { return room.RoomID == id }) {
			continue
		}
		rooms, err := listRooms(ctx, r.store.q, r.portal, nil)
		if err != nil {
			return err
		}
		return audit.Usagef("--room %q is not known: %s", id, roomCandidates(id, rooms))
	}
	return nil
}

// CheckAccount returns a [audit.UsageError] that names candidates if the portal has no account with the id or
// e-mail address.
func (r *Reader) CheckAccount(ctx context.Context, name string) error {
	known, err := accountsNamed(ctx, r.store.q, r.portal, name)
	if err != nil || len(known) > 0 {
		return err
	}
	otherwise, err := accountCandidates(ctx, r.store.q, r.portal, name)
	if err != nil {
		return err
	}
	return audit.Usagef("--account %q is not known: %s", name, otherwise)
}

// accountCandidates says what to give instead of what is no id or e-mail address of an account.
func accountCandidates(ctx context.Context, q *db.Queries, p Portal, asked string) (string, error) {
	people, err := q.ListPeople(ctx, p.ID)
	if err != nil {
		return "", fmt.Errorf("list people: %w", err)
	}
	all := make([]named, len(people))
	for i, person := range people {
		all[i] = named{person.Address, person.Name}
	}
	return suggestion("the id or the e-mail address of an account", asked, all) + "a new account needs a roompulse sync", nil
}

// roomCandidates says what to give instead of what is no id of a room.
func roomCandidates(asked string, rooms []db.Room) string {
	all := make([]named, len(rooms))
	for i, room := range rooms {
		all[i] = named{room.RoomID, room.Title}
	}
	return suggestion("the id of a room", asked, all) + "a new room needs a roompulse sync"
}

// suggestion says what to give instead, up to a semicolon; it is empty if there is nothing.
func suggestion(what, asked string, all []named) string {
	if len(all) == 0 {
		return ""
	}
	return fmt.Sprintf("give %s: %s; ", what, candidates(asked, all))
}

// candidates lists those that come nearest to what was asked for, ten at most.
func candidates(asked string, all []named) string {
	type candidate struct {
		named
		likeness float64
	}
	ranked := make([]candidate, len(all))
	for i, n := range all {
		ranked[i] = candidate{n, max(likeness(asked, n.id), likeness(asked, n.name))}
	}
	slices.SortFunc(ranked, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.likeness, a.likeness), strings.Compare(a.name, b.name), strings.Compare(a.id, b.id))
	})
	const most = 10
	var list []string
	for _, c := range ranked[:min(most, len(ranked))] {
		text := audit.Plain(c.id)
		if c.name != "" {
			text += " (" + audit.Plain(c.name) + ")"
		}
		list = append(list, text)
	}
	if more := len(ranked) - most; more > 0 {
		list = append(list, fmt.Sprintf("or one of %d others", more))
	}
	return strings.Join(list, ", ")
}

// likeness is the share of pairs of neighboring letters that two texts have in common, whatever their
// case: 1 for the same text, and much also for a word of a title.
func likeness(a, b string) float64 {
	pairsOf := func(s string) map[string]int {
		pairs := make(map[string]int)
		runes := []rune(" " + strings.ToLower(s) + " ")
		for i := range len(runes) - 1 {
			pairs[string(runes[i:i+2])]++
		}
		return pairs
	}
	ofA, ofB := pairsOf(a), pairsOf(b)
	shared, all := 0, 0
	for pair, n := range ofA {
		shared += min(n, ofB[pair])
		all += n
	}
	for _, n := range ofB {
		all += n
	}
	return 2 * float64(shared) / float64(all)
}
