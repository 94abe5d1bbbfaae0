package pgtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"roompulse/internal/localpg"
)

// childVariable makes the test binary be another test process: it takes a database, prints its name, and gives it up at
// the end of its standard input.
const childVariable = "PGTEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(Wrap(childRunner{}).Run())
	}
	Main(m)
}

type childRunner struct{}

func (childRunner) Run() int {
	err := func() error {
		ctx := context.Background()
		s, err := join()
		if err != nil {
			return err
		}
		template, err := s.template(ctx)
		if err != nil {
			return err
		}
		name, err := s.create(ctx, template)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(os.Stdout, name); err != nil {
			return err
		}
		if _, err := io.ReadAll(os.Stdin); err != nil {
			return err
		}
		return s.drop(ctx, name)
	}()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

type child struct {
	cmd      *exec.Cmd
	stdin    io.Closer
	database string
}

// startChild runs another test process, and returns when it has a database.
func startChild(t *testing.T) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childVariable+"=1")
	cmd.Stderr = t.Output()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	name, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the other process has no database: %v", err)
	}
	return &child{cmd, stdin, strings.TrimSpace(name)}
}

// finish lets the process end as it should.
func (c *child) finish(t *testing.T) {
	t.Helper()
	if err := c.stdin.Close(); err != nil {
		t.Error(err)
	}
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("the other process: %v", err)
	}
}

// die kills the process.
func (c *child) die(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = c.cmd.Wait()
}

func query[T any](t *testing.T, url, sql string, args ...any) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // only read from
	var value T
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

func exists(t *testing.T, server, database string) bool {
	t.Helper()
	return query[bool](t, server, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database)
}

func TestNew(t *testing.T) {
	t.Parallel()
	one, two := New(t), New(t)
	if query[int](t, one, "SELECT count(*) FROM action") == 0 {
		t.Error("the database is not migrated")
	}
	if got := query[string](t, one, "SHOW TimeZone"); got != zone {
		t.Errorf("zone %s, want %s", got, zone)
	}
	conn, err := pgx.Connect(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	// It stays open: a test that forgets to close one must not keep its database.
	if _, err := conn.Exec(t.Context(), "CREATE TABLE mine ()"); err != nil {
		t.Fatal(err)
	}
	if query[bool](t, two, "SELECT to_regclass('mine') IS NOT NULL") {
		t.Error("two tests share a database")
	}
}

func TestEmpty(t *testing.T) {
	t.Parallel()
	if n := query[int](t, Empty(t), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"); n != 0 {
		t.Errorf("an empty database has %d tables", n)
	}
}

func TestDatabaseGoesWithTheTest(t *testing.T) {
	var name string
	t.Run("a test", func(t *testing.T) {
		name = query[string](t, New(t), "SELECT current_database()::text")
	})
	if exists(t, current(t).url.String(), name) {
		t.Errorf("%s is left", name)
	}
}

// The processes have a server of their own, so that none of another package comes between.
func TestProcesses(t *testing.T) {
	major, err := localpg.InstalledMajor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tmp, err := os.MkdirTemp("", "pgtest-") //nolint:usetesting // root's server, run by another user, cannot enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(tmp) })
	if err := os.Chmod(tmp, 0o711); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", tmp)
	t.Setenv(urlVariable, "")
	server, err := localpg.New(localpg.Config{
		Dir: filepath.Join(tmp, fmt.Sprintf("roompulse-pgtest-%d", os.Geteuid()), strconv.Itoa(major)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	running := func(t *testing.T) bool {
		t.Helper()
		status, err := server.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return status.Running
	}

	t.Run("the last one stops the server", func(t *testing.T) {
		first, second := startChild(t), startChild(t)
		first.finish(t)
		if !running(t) {
			t.Error("stopped though one process is there")
		}
		second.finish(t)
		if running(t) {
			t.Error("runs though all have left")
		}
	})

	t.Run("the next one clears up after a killed one", func(t *testing.T) {
		first, killed := startChild(t), startChild(t)
		url := server.URL()
		killed.die(t)
		outdated := templatePrefix + "000000000000"
		execute(t, url, "CREATE DATABASE "+outdated)
		// The server notices that a client is gone when it next listens to it.
		pid, _, _ := strings.Cut(strings.TrimPrefix(killed.database, testPrefix), "_")
		for query[bool](t, url, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid::text = $1)", pid) {
			if t.Context().Err() != nil {
				t.Fatal("the session of a killed process does not end")
			}
		}
		if !exists(t, url, killed.database) {
			t.Fatal("a killed process leaves nothing: this tests nothing")
		}

		next := startChild(t)
		hash, err := schemaHash()
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]bool{
			killed.database: false, outdated: false,
			first.database: true, next.database: true, templatePrefix + hash: true,
		} {
			if got := exists(t, url, name); got != want {
				t.Errorf("database %s: %t, want %t", name, got, want)
			}
		}
		first.finish(t)
		next.finish(t)
	})

	t.Run("one alone may be killed", func(t *testing.T) {
		startChild(t).die(t)
		if !running(t) {
			t.Error("stopped, but by whom?")
		}
		startChild(t).finish(t)
		if running(t) {
			t.Error("runs though all have left")
		}
	})

	t.Run("another server", func(t *testing.T) {
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Setenv(urlVariable, server.URL())
		child := startChild(t)
		if !exists(t, server.URL(), child.database) {
			t.Errorf("the database is not on the server that %s names", urlVariable)
		}
		child.finish(t)
		if !running(t) {
			t.Error("a server that is not ours was stopped")
		}
	})
}

func execute(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // done with it
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
