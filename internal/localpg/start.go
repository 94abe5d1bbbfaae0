package localpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"roompulse/internal/localpg/flock"
)

// Recovery after a crash has no upper bound, so waiting has none but the context's; these say when to speak of it.
const firstNotice, nextNotices = 2 * time.Second, 15 * time.Second

// Start sees to it that the server runs, answers, and has the database roompulse. It makes the data folder if there is
// none. It may be called by any number of processes at once, and returns quickly if the server is up. A server that was
// killed recovers; Start waits for that as long as ctx allows.
func (s *Server) Start(ctx context.Context) error {
	if err := s.start(ctx); err != nil {
		return fmt.Errorf("start the private PostgreSQL server: %w", err)
	}
	return nil
}

func (s *Server) start(ctx context.Context) error {
	// Normally one round. Another follows if the server that was met here was on its way out, or if only processes of a
	// killed one were left: when they are gone, it is our turn.
	for {
		err := s.ready(ctx)
		if !errors.Is(err, errGone) && !errors.Is(err, errNotReady) {
			return err
		}
		logged, mine, err := s.launch(ctx)
		if err != nil {
			return err
		}
		err = s.await(ctx)
		if !errors.Is(err, errGone) {
			return err
		}
		if mine {
			return s.explain("it ended at once", s.logFrom(logged))
		}
	}
}

// ready returns nil if the server answers and has its database, otherwise errGone, errNotReady or what is wrong.
func (s *Server) ready(ctx context.Context) error {
	pf, alive, err := s.look(ctx)
	if err != nil {
		return err
	}
	if !alive {
		return errGone
	}
	conn, err := s.connect(ctx, pf, database)
	if sqlState(err) == pgInvalidCatalog {
		return s.createDatabase(ctx, pf)
	}
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

func (s *Server) createDatabase(ctx context.Context, pf pidFile) error {
	conn, err := s.connect(ctx, pf, "postgres")
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+database)
	switch code := sqlState(err); {
	case code == pgDuplicateDatabase, code == pgUniqueViolation:
		err = nil
	case err != nil:
		err = fmt.Errorf("create the database %s: %w", database, err)
	}
	return errors.Join(err, conn.Close(ctx))
}

// await polls until the server is ready, gone, or something is wrong.
func (s *Server) await(ctx context.Context) error {
	begin, notice := time.Now(), firstNotice
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		err := s.ready(ctx)
		if !errors.Is(err, errNotReady) {
			return err
		}
		if waited := time.Since(begin); waited > notice {
			notice = waited + nextNotices
			s.logger.InfoContext(ctx, "waiting for the private PostgreSQL server",
				slog.Duration("waited", waited.Round(time.Second)), slog.Any("because", err))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", context.Cause(ctx), err)
		case <-time.After(pause):
		}
	}
}

// launch starts a server process, unless one lives. It reports whether it did, and how long the log was before.
func (s *Server) launch(ctx context.Context) (logged int64, mine bool, err error) {
	bin, err := s.binaries(ctx)
	if err != nil {
		return 0, false, err
	}
	account, err := s.account()
	if err != nil {
		return 0, false, err
	}
	if err := s.makeDir(); err != nil {
		return 0, false, err
	}
	lock, err := s.lockStart(ctx)
	if err != nil {
		return 0, false, err
	}
	defer lock.Close() //nolint:errcheck // the kernel drops the lock in any case

	pf, alive, err := s.look(ctx)
	if err != nil {
		return 0, false, err
	}
	if alive && !s.unreachable(ctx, pf) {
		return 0, false, nil
	}
	if alive {
		// Happens when a session ends and the system removes its XDG_RUNTIME_DIR. PostgreSQL cannot make a new socket
		// without a restart; whoever is still connected has to connect again.
		s.logger.WarnContext(ctx, "the socket of the running PostgreSQL server is gone, restarting it",
			slog.String("socket_dir", pf.socketDir))
		if err := s.shutDown(ctx); err != nil {
			return 0, false, err
		}
	}
	if err := s.ensureData(ctx, bin, account, lock); err != nil {
		return 0, false, err
	}
	if err := makeSocketDir(s.socketDir, account.uid, account.gid); err != nil {
		return 0, false, err
	}
	// No process of the server lives, so the file is a leftover. PostgreSQL replaces one by itself, but not if it is
	// empty or its pid has become somebody else's.
	if err := os.Remove(filepath.Join(s.data, "postmaster.pid")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, false, fmt.Errorf("remove the pid file of a killed server: %w", err)
	}
	logged, err = s.spawn(ctx, bin, account)
	return logged, err == nil, err
}

// unreachable reports whether a server that has finished starting has lost its socket.
func (s *Server) unreachable(ctx context.Context, pf pidFile) bool {
	if !pf.ready || !runsIn(ctx, pf.pid, s.data) {
		return false
	}
	_, err := os.Lstat(filepath.Join(pf.socketDir, ".s.PGSQL."+pf.port))
	return errors.Is(err, fs.ErrNotExist)
}

func (s *Server) lockStart(ctx context.Context) (*flock.File, error) {
	lock, err := flock.Open(filepath.Join(s.dir, startLock))
	if err != nil {
		return nil, fmt.Errorf("open a lock of the private server: %w", err)
	}
	if err := lock.Lock(ctx, flock.Exclusive); err != nil {
		return nil, errors.Join(fmt.Errorf("another process is starting or stopping the private server: %w", err), lock.Close())
	}
	return lock, nil
}
