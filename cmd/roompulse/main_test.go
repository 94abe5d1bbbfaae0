package main

import (
	"bufio"
	"errors"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"roompulse/internal/demoportal"
	"roompulse/internal/demoportal/worldgen"
	"roompulse/internal/testkit/pgtest"
)

// TestMain makes the test binary roompulse as well, for processes of their own.
func TestMain(m *testing.M) {
	testscript.Main(pgtest.Wrap(m), map[string]func(){"roompulse": main})
}

// backfill is a portal with three windows of events, the oldest of which does
// not come until it is released, and a process that syncs it.
type backfill struct {
	portal *demoportal.Portal
	conn   *pgx.Conn // to the warehouse
	env    []string

	cmd    *exec.Cmd
	stderr *strings.Builder
	exited chan struct{}
}

func newBackfill(t *testing.T) *backfill {
	t.Helper()
	w := worldgen.New(worldgen.Config{Seed: 4, Events: 4400, Days: 100, End: time.Now().Add(-48 * time.Hour)})
	b := &backfill{portal: demoportal.New(w, demoportal.Options{})}
	server := httptest.NewServer(b.portal)
	t.Cleanup(server.Close)
	database := pgtest.New(t)
	b.env = append(os.Environ(), "DATABASE_URL="+database, "DOCSPACE_API_HOST="+server.URL, "DOCSPACE_API_KEY="+demoportal.DefaultKey)
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	b.conn = conn
	return b
}

// start starts a sync and returns when it waits for the oldest window, all
// else being in the warehouse.
func (b *backfill) start(t *testing.T, args ...string) {
	t.Helper()
	var dates []time.Time
	for fact := range b.portal.World().Truth(time.Now()).Events() {
		if fact.Listed {
			dates = append(dates, fact.Date)
		}
	}
	// A window has about 2000 rows: this is in the middle of the second, and the third ends before it.
	middle := dates[len(dates)-3000].UTC().Format("2006-01-02T15:04:05")
	b.portal.SetFaults(func(f *demoportal.Faults) {
		f.Script = func(r demoportal.Request) demoportal.Fault {
			u, err := url.Parse(r.URL)
			if err == nil && u.Query().Has("to") && u.Query().Get("to") < middle {
				return demoportal.Hang
			}
			return demoportal.NoFault
		}
	})
	b.spawn(t, args...)
	b.await(t, "SELECT count(*) = 2 FROM sync_window")
}

// spawn starts a sync.
func (b *backfill) spawn(t *testing.T, args ...string) {
	t.Helper()
	b.run(t, append([]string{"sync"}, args...)...)
}

// run starts roompulse.
func (b *backfill) run(t *testing.T, args ...string) {
	t.Helper()
	b.stderr, b.exited = new(strings.Builder), make(chan struct{})
	b.cmd = exec.CommandContext(t.Context(), "roompulse", args...)
	b.cmd.Env, b.cmd.Stderr = b.env, b.stderr
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = b.cmd.Wait() // the state says more
		close(b.exited)
	}()
}

// await returns when the query says true.
func (b *backfill) await(t *testing.T, query string) {
	t.Helper()
	for {
		var ready bool
		if err := b.conn.QueryRow(t.Context(), query).Scan(&ready); err != nil {
			t.Fatal(err)
		}
		if ready {
			return
		}
		select {
		case <-b.exited:
			t.Fatalf("it has ended: %s", b.stderr)
		case <-time.After(time.Millisecond):
		}
	}
}

// end sends a signal to the process, twice as timeout(1) does, and returns its
// exit code, -1 if the signal killed it.
func (b *backfill) end(t *testing.T, signal os.Signal) int {
	t.Helper()
	for range 2 {
		if err := b.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
	}
	<-b.exited
	b.portal.SetFaults(func(f *demoportal.Faults) { *f = demoportal.Faults{} })
	return b.cmd.ProcessState.ExitCode()
}

// finish syncs to the end and compares what is there with what happened.
func (b *backfill) finish(t *testing.T) {
	t.Helper()
	before := b.number(t, "SELECT count(*) FROM audit_event")
	cmd := exec.CommandContext(t.Context(), "roompulse", "sync")
	cmd.Env = b.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the next sync: %v\n%s", err, out)
	}
	want := 0
	for fact := range b.portal.World().Truth(time.Now()).Events() {
		if fact.Listed {
			want++
		}
	}
	after := b.number(t, "SELECT count(*) FROM audit_event")
	if before == 0 || before >= after || after != want {
		t.Errorf("%d events before the next sync, %d after it, %d happened", before, after, want)
	}
	if counted := b.number(t, "SELECT sum(events) FROM event_hour"); counted != want {
		t.Errorf("the rollup has %d events, %d happened", counted, want)
	}
	if again := b.number(t, "SELECT events_new FROM sync_run WHERE outcome = 'done'"); again != want-before {
		t.Errorf("the next sync found %d new events, %d were missing", again, want-before)
	}
}

func (b *backfill) number(t *testing.T, query string) (n int) {
	t.Helper()
	if err := b.conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (b *backfill) outcome(t *testing.T) (outcome string) {
	t.Helper()
	if err := b.conn.QueryRow(t.Context(), "SELECT outcome FROM sync_run ORDER BY run_id DESC LIMIT 1").Scan(&outcome); err != nil {
		t.Fatal(err)
	}
	return outcome
}

// TestInterruptedSync: a sync that is told to stop in the middle of a backfill
// says so and records it; the next one goes on from there.
func TestInterruptedSync(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			b := newBackfill(t)
			b.start(t)
			if code := b.end(t, signal); code != 1 {
				t.Errorf("exit code %d", code)
			}
			lines := strings.Split(strings.TrimSpace(b.stderr.String()), "\n")
			if lines[len(lines)-1] != "roompulse: interrupted" {
				t.Errorf("it says: %s", b.stderr.String())
			}
			if outcome := b.outcome(t); outcome != "interrupted" {
				t.Errorf("the run is recorded as %s", outcome)
			}
			b.finish(t)
		})
	}
}

// TestDemoStays: what the demo says to type works in another process, and at
// Ctrl-C nothing of it is left.
func TestDemoStays(t *testing.T) {
	t.Parallel()
	// Root's server runs as another user, who must get in: what t.TempDir makes is inside of what is for one.
	folder, err := os.MkdirTemp("", "roompulse-test-") //nolint:usetesting // see above
	if err == nil {
		t.Cleanup(func() { _ = os.RemoveAll(folder) })
		err = os.Chmod(folder, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	demo := exec.CommandContext(t.Context(), "roompulse", "demo", "--stay", "--events", "300")
	demo.Env = append(os.Environ(), "TMPDIR="+folder)
	stderr, err := demo.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	var env, said []string
	var analyst string
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		said = append(said, lines.Text())
		if setting, ok := strings.CutPrefix(lines.Text(), "    export "); ok {
			env = append(env, strings.ReplaceAll(setting, "'", ""))
		}
		if rest, ok := strings.CutPrefix(lines.Text(), "    psql '"); ok { // the last line
			analyst, _, _ = strings.Cut(rest, "'")
			break
		}
	}
	if len(env) != 3 || analyst == "" {
		t.Fatalf("the demo says %q", said)
	}
	// Of the portal's events sync has read as many as the demo says there are.
	told := regexp.MustCompile(`(?s)An invented portal with (\d+) events,.* done; (\d+) new events,`).FindStringSubmatch(strings.Join(said, "\n"))
	if len(told) != 3 || told[1] != told[2] {
		t.Errorf("the demo says of events %q", told)
	}
	conn, err := pgx.Connect(t.Context(), analyst)
	if err != nil {
		t.Fatal(err)
	}
	var portals int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM portals").Scan(&portals); err != nil || portals != 1 {
		t.Errorf("analysts of the demo see %d portals: %v", portals, err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for _, args := range [][]string{{"status"}, {"report", "activity", "--last", "7d"}, {"remind", "--last", "30d"}, {"sync"}} {
		cmd := exec.CommandContext(t.Context(), "roompulse", args...)
		cmd.Env = append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%q beside the demo: %v\n%s", args, err, out)
		}
	}
	if err := demo.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := demo.Wait(); err != nil {
		t.Errorf("the demo ends with %v", err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
}

// TestInterruptedExport: a file of an export that is told to stop is as it was before.
func TestInterruptedExport(t *testing.T) {
	t.Parallel()
	b := newBackfill(t)
	sync := exec.CommandContext(t.Context(), "roompulse", "sync")
	sync.Env = b.env
	if out, err := sync.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "events.parquet")
	if err := os.WriteFile(file, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	// It reads the rooms, and waits for the events.
	tx, err := b.conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "LOCK TABLE audit_event"); err != nil {
		t.Fatal(err)
	}
	b.run(t, "export", "--output", file, "--last", "100d")
	b.await(t, "SELECT count(*) > 0 FROM pg_locks WHERE relation = 'audit_event'::regclass AND NOT granted")
	if code := b.end(t, os.Interrupt); code != 1 || !strings.Contains(b.stderr.String(), "interrupted") {
		t.Errorf("exit code %d: %s", code, b.stderr)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(folder)
	if content, readErr := os.ReadFile(file); err != nil || readErr != nil || len(left) != 1 || string(content) != "before" {
		t.Errorf("the folder has %v, the file %q", left, content)
	}
}

// TestKilledSync: a sync that is killed leaves no more behind than the record
// of a run that has not ended.
func TestKilledSync(t *testing.T) {
	t.Parallel()
	b := newBackfill(t)
	b.start(t)
	if code := b.end(t, syscall.SIGKILL); code != -1 {
		t.Errorf("exit code %d", code)
	}
	if outcome := b.outcome(t); outcome != "running" {
		t.Errorf("the run is recorded as %s", outcome)
	}
	// The server notices a moment later that its client is gone; so long the lock is held.
	for b.number(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'roompulse'") > 0 {
		time.Sleep(time.Millisecond)
	}
	b.finish(t)
}

// TestStoppedDaemon: sync --every that is told to stop has done what it was
// asked for, whether it was reading or waiting.
func TestStoppedDaemon(t *testing.T) {
	t.Parallel()
	b := newBackfill(t)
	b.start(t, "--every", "1h")
	if code := b.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d in the middle of a sync: %s", code, b.stderr)
	}
	b.spawn(t, "--every", "1h")
	b.await(t, "SELECT count(*) = 1 FROM sync_run WHERE outcome = 'done'")
	if code := b.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d between two syncs: %s", code, b.stderr)
	}
}
