package cli

import (
	"context"
	"errors"
	"testing"

	"roompulse/internal/store"
	"roompulse/internal/testkit/pgtest"
)

// TestRefuseIfSyncing: the server is not stopped under a running sync.
func TestRefuseIfSyncing(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	if err := refuseIfSyncing(t.Context(), url); err != nil {
		t.Errorf("nothing runs: %v", err)
	}
	st, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	w, err := st.OpenWriter(t.Context(), "https://acme.example.org", func(context.Context) (string, error) { return "boss", nil }, noon)
	if err != nil {
		t.Fatal(err)
	}
	if err := refuseIfSyncing(t.Context(), url); !errors.Is(err, store.ErrLocked) {
		t.Errorf("a sync runs: %v", err)
	}
	w.Close()
	if err := refuseIfSyncing(t.Context(), url); err != nil {
		t.Errorf("the sync has ended: %v", err)
	}
}
