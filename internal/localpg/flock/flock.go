// Package flock lets processes lock a file against each other with flock(2).
//
// Such a lock belongs to the open file, not to the process: a child process that inherits the descriptor holds it too,
// and the kernel drops it when the last holder has ended, however it ended.
package flock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// Mode is the kind of a lock.
type Mode int

// The two kinds: many may hold Shared at once, Exclusive excludes everybody else.
const (
	Shared    Mode = syscall.LOCK_SH
	Exclusive Mode = syscall.LOCK_EX
)

// pollInterval is how often Lock asks: flock(2) can wait by itself, but not for a context.
const pollInterval = 10 * time.Millisecond

// File is a lock file.
type File struct{ f *os.File }

// Open opens the lock file at path and creates it if there is none. It locks nothing yet.
func Open(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	return &File{f}, nil
}

// TryLock takes the lock or changes its mode, and reports false if others hold it in a mode that forbids this.
// After a failed change the former lock may be gone.
func (l *File) TryLock(mode Mode) (bool, error) {
	for {
		err := syscall.Flock(int(l.f.Fd()), int(mode)|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, syscall.EINTR):
			return false, fmt.Errorf("lock %s: %w", l.f.Name(), err)
		}
	}
}

// Lock waits until it has the lock or ctx is done.
func (l *File) Lock(ctx context.Context, mode Mode) error {
	for {
		if ok, err := l.TryLock(mode); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for lock %s: %w", l.f.Name(), context.Cause(ctx))
		case <-time.After(pollInterval):
		}
	}
}

// File returns the open file, to hand it to a child process.
func (l *File) File() *os.File { return l.f }

// Close gives the lock up, unless a child process has inherited the file: then the lock is the child's.
func (l *File) Close() error { return l.f.Close() }
