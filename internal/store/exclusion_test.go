package store_test

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"roompulse/internal/audit"
)

// TestExclusionsAtOnce: none of those that are added at the same time is lost.
func TestExclusionsAtOnce(t *testing.T) {
	t.Parallel()
	const many = 8
	reader, _, _ := warehouse(t, now, 1)
	var adding errgroup.Group
	for i := range many {
		adding.Go(func() error {
			_, err := reader.AddExclusion(t.Context(), audit.Exclusion{
				Kind: audit.ExcludeDomain, Subject: fmt.Sprintf("d%d.example.org", i), Reason: "robots", AddedAt: now,
			})
			return err
		})
	}
	must(t, adding.Wait())
	list, err := reader.Exclusions(t.Context())
	must(t, err)
	if len(list) != many {
		t.Errorf("%d of %d are there: %+v", len(list), many, list)
	}
}

// TestExcludedGroup: groups whose names differ by their case alone can be told apart.
func TestExcludedGroup(t *testing.T) {
	t.Parallel()
	st, portal, conn := emptyPortal(t)
	_, err := conn.Exec(t.Context(), `
		INSERT INTO people_group (portal_id, group_key, group_id, name)
		VALUES ($1, 1, 'a', 'Bots'), ($1, 2, 'b', 'bots'), ($1, 3, 'c', 'Twins'), ($1, 4, 'd', 'Twins'), ($1, 5, 'e', 'Tests')`, portal.ID)
	must(t, err)
	for subject, want := range map[string]string{"Bots": "a", "bots": "b", "b": "b", "BOTS": "", "Twins": "", "TESTS": "e"} {
		x, err := st.Reader(portal).AddExclusion(t.Context(), audit.Exclusion{
			Kind: audit.ExcludeGroup, Subject: subject, Reason: "robots", AddedAt: now,
		})
		_, refused := errors.AsType[audit.UsageError](err)
		if refused != (want == "") || !refused && x.Subject != want {
			t.Errorf("the group %s means %q, %v, want %q", subject, x.Subject, err, want)
		}
	}
}
