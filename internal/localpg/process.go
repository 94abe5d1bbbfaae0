package localpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"roompulse/internal/localpg/flock"
)

// spawn starts the server process and returns the size of its log before.
func (s *Server) spawn(ctx context.Context, bin binaries, account account) (logged int64, err error) {
	lock, err := flock.Open(filepath.Join(s.dir, serverLock))
	if err != nil {
		return 0, fmt.Errorf("open the lock of the server: %w", err)
	}
	defer lock.Close() //nolint:errcheck // from then on the lock is the server's
	// At most, another process is just looking whether it is free.
	if err := lock.Lock(ctx, flock.Exclusive); err != nil {
		return 0, err
	}
	output, logged, err := s.openLog()
	if err != nil {
		return 0, err
	}
	defer output.Close() //nolint:errcheck // only the server writes to it

	settings := isolation(s.socketDir)
	maps.Copy(settings, s.settings)
	args := []string{"-D", s.data}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	s.logger.InfoContext(ctx, "starting the private PostgreSQL server",
		slog.String("folder", s.data), slog.String("version", bin.version))
	cmd := s.command(context.WithoutCancel(ctx), account, filepath.Join(bin.dir, "postgres"), args...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.Dir = s.data
	cmd.ExtraFiles = []*os.File{lock.File()}
	if err := cmd.Start(); err != nil {
		return 0, s.execError(err, account)
	}
	go cmd.Wait() //nolint:errcheck // reaps the server if it ends before us; the lock and the log tell what happened
	return logged, nil
}

// command prepares a program of PostgreSQL: run by the server's user in a session of its own, where neither Ctrl-C nor
// the end of the terminal reaches it.
func (s *Server) command(ctx context.Context, account account, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // findBinaries chose the program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: account.credential}
	// Not our whole environment: it may hold the portal's key, and the server stays for long. The language is C because
	// messages are searched for known causes.
	cmd.Env = []string{"LC_ALL=C"}
	for _, name := range []string{"PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return cmd
}

// execError adds the usual reason why root cannot run a program as another user.
func (s *Server) execError(err error, account account) error {
	if account.credential != nil && errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("the user %s must be able to run the program and to enter %s: %w", s.runAs, s.dir, err)
	}
	return err
}

const maxLogSize = 10 << 20

// openLog opens the log for the server to append to, and returns its size.
func (s *Server) openLog() (*os.File, int64, error) {
	path := filepath.Join(s.dir, logName)
	if info, err := os.Stat(path); err == nil && info.Size() > maxLogSize {
		if err := os.Rename(path, filepath.Join(s.dir, oldLogName)); err != nil {
			return nil, 0, fmt.Errorf("put the server's log aside: %w", err)
		}
	}
	log, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, 0, fmt.Errorf("open the server's log: %w", err)
	}
	info, err := log.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("open the server's log: %w", err), log.Close())
	}
	return log, info.Size(), nil
}

// logFrom returns what was written to the log after the first n bytes.
func (s *Server) logFrom(n int64) string {
	log, err := os.Open(filepath.Join(s.dir, logName))
	if err != nil {
		return ""
	}
	defer log.Close() //nolint:errcheck // only read from
	text, _ := io.ReadAll(io.NewSectionReader(log, n, maxLogSize))
	return string(text)
}

// explain makes an error of what a program of PostgreSQL said last.
func (s *Server) explain(what, said string) error {
	var text strings.Builder
	text.WriteString(what)
	const enough = 12
	lines := strings.FieldsFunc(said, func(r rune) bool { return r == '\n' || r == '\r' })
	for _, line := range lines[max(0, len(lines)-enough):] {
		text.WriteString("\n  " + line)
	}
	// A server on a full disk may not even get its message into the log.
	free, known := freeSpace(s.dir)
	if strings.Contains(said, "No space left on device") || strings.Contains(said, "Disk quota exceeded") ||
		known && free < 16<<20 {
		fmt.Fprintf(&text, "\nThere is not enough room on the disk of %s (%d MiB are free). No data is lost; make room and try again", s.dir, free>>20)
	}
	return errors.New(text.String())
}

func freeSpace(dir string) (free uint64, known bool) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, false
	}
	return uint64(st.Bavail) * uint64(st.Bsize), true //nolint:gosec,unconvert // the types differ between systems; none is negative
}
