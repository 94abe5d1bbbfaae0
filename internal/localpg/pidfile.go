package localpg

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// pidFile is what PostgreSQL notes in postmaster.pid. While a server is starting the later lines are missing.
type pidFile struct {
	pid       int
	port      string
	socketDir string
	ready     bool // accepts connections, as far as the server itself says
}

// readPidFile returns the zero pidFile if there is none.
func readPidFile(data string) (pidFile, error) {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return pidFile{}, nil
	}
	if err != nil {
		return pidFile{}, fmt.Errorf("read the server's pid file: %w", err)
	}
	var line [8]string // pid, data folder, start time, port, socket folder, TCP address, shared memory, status
	lines := bufio.NewScanner(bytes.NewReader(text))
	for i := 0; i < len(line) && lines.Scan(); i++ {
		line[i] = strings.TrimSpace(lines.Text())
	}
	pid, _ := strconv.Atoi(line[0]) // empty after a crash in mid-write: no pid
	return pidFile{pid: max(pid, 0), port: line[3], socketDir: line[4], ready: line[7] == "ready"}, nil
}

// runsIn reports whether process pid is a PostgreSQL process of this data folder, and not somebody who got the number
// of one that died.
func runsIn(ctx context.Context, pid int, data string) bool {
	if pid <= 0 || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	if runtime.GOOS == "linux" { // PostgreSQL's processes have the data folder as their working directory
		cwd, err := os.Stat(fmt.Sprintf("/proc/%d/cwd", pid))
		if err != nil {
			return false
		}
		dir, err := os.Stat(data)
		return err == nil && os.SameFile(cwd, dir)
	}
	// Elsewhere there is no such file. Any PostgreSQL process will do: to take a stranger for ours costs a start that is
	// refused with PostgreSQL's own message, the other way round would cost data.
	command, err := exec.CommandContext(ctx, "ps", "-o", "comm=", "-p", strconv.Itoa(pid)).Output() //nolint:gosec // only a number is ours
	return err == nil && strings.Contains(string(command), "postgres")
}
