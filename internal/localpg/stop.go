package localpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Stop shuts the server down in an orderly way and waits until it has ended: open transactions are rolled back,
// connections closed. A server that does not run is no error.
func (s *Server) Stop(ctx context.Context) error {
	if _, err := os.Stat(s.dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := s.stop(ctx); err != nil {
		return fmt.Errorf("stop the private PostgreSQL server: %w", err)
	}
	return nil
}

func (s *Server) stop(ctx context.Context) error {
	if _, alive, err := s.look(ctx); err != nil || !alive {
		return err
	}
	lock, err := s.lockStart(ctx)
	if err != nil {
		return err
	}
	defer lock.Close() //nolint:errcheck // the kernel drops the lock in any case
	return s.shutDown(ctx)
}

// shutDown stops the server; start.lock must be held.
func (s *Server) shutDown(ctx context.Context) error {
	socketDir, asked := "", 0
	for {
		pf, alive, err := s.look(ctx)
		if err != nil {
			return err
		}
		if !alive {
			// Only an empty folder goes, and only one of those that are made here.
			if strings.HasPrefix(filepath.Base(socketDir), socketDirPrefix) {
				_ = os.Remove(socketDir)
			}
			return nil
		}
		// A server that has just been started has no pid file yet.
		if pf.pid != asked && runsIn(ctx, pf.pid, s.data) {
			socketDir, asked = pf.socketDir, pf.pid
			if err := syscall.Kill(pf.pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("signal process %d: %w", pf.pid, err)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it has not ended yet: %w", context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
}
