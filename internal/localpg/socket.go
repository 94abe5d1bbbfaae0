package localpg

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	socketFile = ".s.PGSQL." + port

	// maxSocketPath is what fits into sockaddr_un on macOS; Linux has four bytes more.
	maxSocketPath = 103

	socketDirPrefix = "roompulse-"
)

// chooseSocketDir names the folder for the socket of the server in dir, run by the user uid. The name has a hash of dir,
// so that each server has a folder of its own.
func chooseSocketDir(dir string, uid int) string {
	sum := sha256.Sum256([]byte(dir))
	hash := hex.EncodeToString(sum[:6])
	var candidates []string
	// The runtime folder of root is closed to the user postgres, as whom the server then runs.
	if runtimeDir := os.Getenv("XDG_RUNTIME_DIR"); uid != 0 && filepath.IsAbs(runtimeDir) && checkPrivate(runtimeDir, uid) == nil {
		candidates = append(candidates, filepath.Join(runtimeDir, socketDirPrefix+hash))
	}
	name := fmt.Sprintf("%s%d-%s", socketDirPrefix, uid, hash)
	candidates = append(candidates, filepath.Join(os.TempDir(), name))
	for _, candidate := range candidates {
		// In an address a comma separates hosts, and cannot be escaped.
		if filepath.IsAbs(candidate) && !strings.Contains(candidate, ",") && len(filepath.Join(candidate, socketFile)) <= maxSocketPath {
			return candidate
		}
	}
	return "/tmp/" + name
}

// makeSocketDir makes the folder, owned by uid, unless it is there, and clears it of what a killed server left. Only
// for a server that is known not to run.
func makeSocketDir(dir string, uid, gid int) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		err = os.Lchown(dir, uid, gid)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the folder of the server's socket: %w", err)
	}
	if err := checkPrivate(dir, uid); err != nil {
		return err
	}
	// PostgreSQL removes them too, but not if the pid in the lock file has become somebody else's.
	for _, left := range []string{socketFile, socketFile + ".lock"} {
		if err := os.Remove(filepath.Join(dir, left)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what a killed server left: %w", err)
		}
	}
	return nil
}

// checkPrivate returns an error unless dir is a folder that belongs to uid and is closed to everybody else: who can put
// a socket there would be taken for the server.
func checkPrivate(dir string, uid int) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("check the folder of the server's socket: %w", err)
	}
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s, meant for the server's socket, is not a folder: remove it", dir)
	case ownerOf(info) != uid:
		return fmt.Errorf("the folder of the server's socket, %s, belongs to %s and not to %s: "+
			"have it removed, or set TMPDIR to another folder", dir, userName(ownerOf(info)), userName(uid))
	case info.Mode().Perm() != 0o700:
		return fmt.Errorf("the folder of the server's socket, %s, has mode %04o, which lets others in: "+
			"look what is in it, then chmod 700 or remove it", dir, info.Mode().Perm())
	}
	return nil
}

func ownerOf(info fs.FileInfo) int {
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

// dsn names a database on the server; pgx, psql and everything on libpq understand it.
func dsn(socketDir, port, database, role string) string {
	// libpq takes %20 for a space but not +; the slashes may stay, which is easier on the eye.
	host := strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(socketDir))
	return "postgres:///" + database + "?host=" + host + "&port=" + port + "&user=" + role
}

// quoteListItem quotes a path for a setting that is a comma-separated list.
func quoteListItem(path string) string {
	return `"` + strings.ReplaceAll(path, `"`, `""`) + `"`
}
