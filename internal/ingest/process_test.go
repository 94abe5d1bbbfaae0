package ingest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"roompulse/internal/demoportal"
	"roompulse/internal/docspace"
	"roompulse/internal/ingest"
	"roompulse/internal/store"
)

// processVariable makes the test binary a process that syncs once; it holds a syncTask.
const processVariable = "ROOMPULSE_TEST_SYNC"

// syncTask is a sync for a process of its own.
type syncTask struct {
	Host       string    `json:"host"`
	Database   string    `json:"database"`
	Owner      string    `json:"owner"`
	Now        time.Time `json:"now"`
	RestoredAt time.Time `json:"restored_at"`
	Parallel   int       `json:"parallel"`
}

func syncProcess() int {
	var task syncTask
	err := json.Unmarshal([]byte(os.Getenv(processVariable)), &task)
	if err == nil {
		err = task.run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// For the peak of its memory. What a parent is told of it on Linux has the parent's own in it.
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		_, _ = os.Stdout.Write(status)
	}
	return 0
}

func (s syncTask) run(ctx context.Context) error {
	var first, last time.Time // when the first window was asked for, and the last with events was stored
	var events int64
	client, err := docspace.New(docspace.Config{Host: s.Host, Key: demoportal.DefaultKey, FirstRetry: time.Millisecond})
	if err != nil {
		return err
	}
	st, err := store.Open(ctx, s.Database)
	if err != nil {
		return err
	}
	defer st.Close()
	w, err := st.OpenWriter(ctx, client.BaseURL(), func(context.Context) (string, error) { return s.Owner, nil }, s.Now)
	if err != nil {
		return err
	}
	defer w.Close()
	_, err = ingest.New(client, w, ingest.Options{
		Version: "test", Logger: discard, Now: func() time.Time { return s.Now }, RestoredAt: s.RestoredAt, Parallel: s.Parallel,
		Progress: func(p ingest.Progress) {
			if p.Task == "events" && first.IsZero() {
				first = time.Now()
			}
			if p.Events > events {
				events, last = p.Events, time.Now()
			}
		},
	}).Run(ctx)
	_, _ = fmt.Fprintf(os.Stdout, "events stored within %.2f s\n", last.Sub(first).Seconds())
	return err
}

// process returns a process that syncs as h.sync does.
func (h *harness) process(t *testing.T, options ingest.Options) *exec.Cmd {
	t.Helper()
	return syncTask{
		Host: h.server.URL, Database: h.conn.Config().ConnString(), Owner: h.owner, Now: h.now.Add(h.skew),
		RestoredAt: options.RestoredAt, Parallel: options.Parallel,
	}.command(t)
}

func (s syncTask) command(t testing.TB) *exec.Cmd {
	t.Helper()
	task, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), processVariable+"="+string(task))
	return cmd
}

// awaitUnlocked returns when the server has noticed that a killed sync is gone.
func (h *harness) awaitUnlocked(t *testing.T) {
	t.Helper()
	for locked := true; locked; {
		must(t, h.conn.QueryRow(t.Context(), `
			SELECT EXISTS (
				SELECT FROM pg_locks
				WHERE locktype = 'advisory' AND classid = 7301 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
			)`).Scan(&locked))
		if locked {
			time.Sleep(time.Millisecond)
		}
	}
}
