package cli

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"roompulse/internal/demoportal"
	"roompulse/internal/ingest"
	"roompulse/internal/testkit/pgtest"
)

// TestTerminal: on a terminal a report is coloured and as wide as the screen at
// most, and a sync shows what it is at and leaves nothing of it behind.
func TestTerminal(t *testing.T) {
	t.Parallel()
	s := &stage{tb: t, database: pgtest.New(t)}
	s.now.Store(&noon)
	s.startPortal("small")
	setting := []string{
		"DATABASE_URL=" + s.database, "DOCSPACE_API_HOST=" + s.server.URL, "DOCSPACE_API_KEY=" + demoportal.DefaultKey,
		clockVariable + "=" + noon.Format(time.RFC3339), "TERM=xterm", "NO_COLOR=",
	}

	const narrow = 60
	screen := onTerminal(t, narrow, setting, "sync")
	if !strings.Contains(screen, "reading people") || !strings.Contains(screen, "events (Ctrl-C is safe)") {
		t.Errorf("sync does not tell what it is at: %q", screen)
	}
	last := screen[strings.LastIndex(strings.TrimRight(screen, "\r\n"), "\r")+1:]
	if !regexp.MustCompile(`^(\x1b\[[0-9;]*[A-Za-z])*` + regexp.QuoteMeta(s.server.URL) + `: done; .*\r\n$`).MatchString(last) {
		t.Errorf("sync leaves %q", last)
	}

	colour := regexp.MustCompile(`\x1b\[[0-9;]*m`)
	screen = onTerminal(t, narrow, setting, "report", "inactive")
	if !colour.MatchString(screen) {
		t.Error("the report has no colours")
	}
	for line := range strings.SplitSeq(colour.ReplaceAllString(screen, ""), "\r\n") {
		if n := len([]rune(line)); n > narrow {
			t.Errorf("the line is %d columns wide: %q", n, line)
		}
	}
	for _, plain := range []string{"NO_COLOR=1", "TERM=dumb"} {
		if screen := onTerminal(t, narrow, append(setting, plain), "report", "inactive"); strings.Contains(screen, "\x1b") {
			t.Errorf("with %s the report has colours", plain)
		}
	}
}

// TestProgressOnTerminal: a bar that begins with events does not count them as read in its first moment, stays
// one line, and goes when the sync is done.
func TestProgressOnTerminal(t *testing.T) {
	t.Parallel()
	const columns = 100
	master, terminal := openTerminal(t, columns)
	synctest.Test(t, func(t *testing.T) {
		s := newScreen(terminal)
		tell := s.progress(t.Context(), slog.New(slog.DiscardHandler))
		at := ingest.Progress{Task: "events", Reached: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Events: 40_000, Total: 90_000}
		tell(at)
		at.Events, at.Total = 42_000, 92_000
		tell(at)
		time.Sleep(10 * time.Second)
		at.Events = 50_000
		tell(at)
		s.done()
	})
	_ = terminal.Close()
	var screen bytes.Buffer
	_, _ = io.Copy(&screen, master)
	var drawn []string
	for line := range strings.SplitSeq(regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`).ReplaceAllString(screen.String(), ""), "\r") {
		if line = strings.TrimSpace(line); line != "" {
			drawn = append(drawn, line)
		}
		if n := len([]rune(line)); n > columns {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	const want = "back to 2026-03-01, 1000 events/s, 42s left (Ctrl-C is safe)"
	for i, line := range drawn {
		paced := strings.Contains(line, "events/s")
		switch {
		case i == 0 && paced, paced && !strings.HasPrefix(line, want):
			t.Errorf("line %d tells a rate that means nothing: %q", i, line)
		case i == len(drawn)-1 && !paced:
			t.Errorf("the last line is %q, want %s", line, want)
		}
	}
}

// onTerminal runs roompulse with stdout and stderr on a terminal of some
// columns, and returns all that was written to it.
func onTerminal(t *testing.T, columns uint16, setting []string, args ...string) string {
	t.Helper()
	master, terminal := openTerminal(t, columns)
	cmd := exec.CommandContext(t.Context(), "roompulse", args...)
	cmd.Env = append(os.Environ(), setting...)
	cmd.Stdout, cmd.Stderr = terminal, terminal
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = terminal.Close()
	var screen bytes.Buffer
	_, _ = io.Copy(&screen, master) // ends with an error when nobody has the terminal any more
	if err := cmd.Wait(); err != nil {
		t.Fatalf("roompulse %s: %v\n%s", strings.Join(args, " "), err, &screen)
	}
	return screen.String()
}

func openTerminal(t *testing.T, columns uint16) (master, terminal *os.File) {
	t.Helper()
	open := func(path string) *os.File {
		f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	master = open("/dev/ptmx")
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns})
	}
	if err != nil {
		t.Fatal(err)
	}
	return master, open(fmt.Sprintf("/dev/pts/%d", number))
}
