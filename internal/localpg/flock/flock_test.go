package flock_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"roompulse/internal/localpg/flock"
)

func open(t *testing.T, path string) *flock.File {
	t.Helper()
	file, err := flock.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return file
}

func try(t *testing.T, file *flock.File, mode flock.Mode, want bool) {
	t.Helper()
	if got, err := file.TryLock(mode); got != want || err != nil {
		t.Errorf("TryLock(%d) = %t, %v, want %t", mode, got, err, want)
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	a, b := open(t, path), open(t, path)
	try(t, a, flock.Shared, true)
	try(t, b, flock.Shared, true)
	try(t, a, flock.Exclusive, false)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	try(t, a, flock.Exclusive, true)
	c := open(t, path)
	try(t, c, flock.Shared, false)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Lock(ctx, flock.Exclusive); !errors.Is(err, context.Canceled) {
		t.Errorf("Lock with a cancelled context: %v", err)
	}
}

func TestChildHoldsTheLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	a, b := open(t, path), open(t, path)
	try(t, a, flock.Exclusive, true)
	child := exec.CommandContext(t.Context(), "cat") // waits for the end of its input
	child.ExtraFiles = []*os.File{a.File()}
	input, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	try(t, b, flock.Exclusive, false)
	if err := errors.Join(input.Close(), child.Wait()); err != nil {
		t.Fatal(err)
	}
	try(t, b, flock.Exclusive, true)
}
