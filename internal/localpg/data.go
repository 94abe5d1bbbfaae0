package localpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"roompulse/internal/localpg/flock"
)

// makeDir makes the folder of the server, and refuses one that is somebody else's or holds something else.
func (s *Server) makeDir() error {
	mode := fs.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711 // the user postgres must reach data/ in it
	}
	if err := mkdirAll(s.dir, mode); err != nil {
		return fmt.Errorf("make the folder of the private server: %w", err)
	}
	info, err := os.Stat(s.dir)
	if err != nil {
		return fmt.Errorf("check the folder of the private server: %w", err)
	}
	if owner := ownerOf(info); owner != os.Geteuid() {
		return fmt.Errorf("the folder %s belongs to %s: run roompulse as that user, not as %s, "+
			"or set DATABASE_URL", s.dir, userName(owner), userName(os.Geteuid()))
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("the folder %s has mode %04o, so that others may write to it: chmod go-w it", s.dir, info.Mode().Perm())
	}
	if _, err := os.Stat(s.data); err == nil {
		return nil
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("check the folder of the private server: %w", err)
	}
	ours := []string{partialName, logName, oldLogName, startLock, serverLock, lostAndFound}
	for _, entry := range entries {
		if !slices.Contains(ours, entry.Name()) {
			return fmt.Errorf("the folder %s is not the private server's: it has %s in it. "+
				"Nothing was changed; choose an empty folder", s.dir, entry.Name())
		}
	}
	return nil
}

// mkdirAll is os.MkdirAll, but the mode of what it makes does not depend on the umask.
func mkdirAll(dir string, mode fs.FileMode) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := mkdirAll(filepath.Dir(dir), mode); err != nil {
		return err
	}
	if err := os.Mkdir(dir, mode); err != nil {
		if errors.Is(err, fs.ErrExist) { // another process was faster
			return nil
		}
		return err
	}
	return os.Chmod(dir, mode)
}

// ensureData makes the data folder if there is none, and refuses one that is not PostgreSQL's.
func (s *Server) ensureData(ctx context.Context, bin binaries, account account, lock *flock.File) error {
	info, err := os.Stat(s.data)
	if errors.Is(err, fs.ErrNotExist) {
		return s.initialize(ctx, bin, account, lock)
	}
	if err != nil {
		return fmt.Errorf("check the private server's data: %w", err)
	}
	entries, err := os.ReadDir(s.data)
	if err != nil {
		return fmt.Errorf("check the private server's data: %w", err)
	}
	if len(entries) == 0 {
		if err := os.Remove(s.data); err != nil {
			return fmt.Errorf("make way for the private server's data: %w", err)
		}
		return s.initialize(ctx, bin, account, lock)
	}
	if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == versionFile }) {
		return fmt.Errorf("%s is not a data folder of PostgreSQL (it has no file %s) and is not empty. "+
			"Nothing was changed; move it away if it may be replaced", s.data, versionFile)
	}
	if owner := ownerOf(info); owner != account.uid {
		return fmt.Errorf("the data in %s belongs to %s, but the server would run as %s: chown -R it if that is right",
			s.data, userName(owner), userName(account.uid))
	}
	return nil
}

// initialize makes the data folder. It appears under its name only when it is whole and on disk, so an interrupted
// initialization leaves nothing that could be taken for data.
func (s *Server) initialize(ctx context.Context, bin binaries, account account, lock *flock.File) (err error) {
	s.logger.InfoContext(ctx, "making a data folder for the private PostgreSQL server",
		slog.String("folder", s.data), slog.String("version", bin.version))
	partial := filepath.Join(s.dir, partialName)
	if err := os.RemoveAll(partial); err != nil { // initdb has never finished there
		return fmt.Errorf("remove an unfinished data folder: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(partial)) // above all if the disk is full
		}
	}()
	if err := os.Mkdir(partial, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	if err := os.Lchown(partial, account.uid, account.gid); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	args := []string{
		"--pgdata=" + partial, "--username=" + superuser,
		"--encoding=UTF8", "--no-locale", "--data-checksums",
		"--auth-local=trust", "--auth-host=reject", "--no-instructions",
	}
	if bin.major >= 17 {
		// Sorts bytewise, as the C locale does, and in addition knows the letters outside ASCII.
		args = append(args, "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
	}
	if s.settings["fsync"] == "off" {
		args = append(args, "--no-sync")
	}
	var said bytes.Buffer
	cmd := s.command(ctx, account, filepath.Join(bin.dir, "initdb"), args...)
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.Dir = partial
	// If we are killed, initdb goes on; it then holds the lock, and nobody clears the folder under its feet.
	cmd.ExtraFiles = []*os.File{lock.File()}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // initdb and its server
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("initdb: %w", context.Cause(ctx))
		}
		return s.explain("initdb: "+s.execError(err, account).Error(), said.String())
	}
	if err := appendTo(filepath.Join(partial, "postgresql.conf"), tuning); err != nil {
		return fmt.Errorf("configure the private server: %w", err)
	}
	if err := os.Rename(partial, s.data); err != nil {
		return fmt.Errorf("finish the data folder: %w", err)
	}
	return syncDir(s.dir)
}

// appendTo appends text to a file and writes it to disk. O_NOFOLLOW: the folder may be another user's.
func appendTo(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Sync(), file.Close())
}

// syncDir writes the names in a folder to disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
