package store_test

import (
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
