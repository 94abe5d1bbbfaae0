// Package pgtest gives each test a PostgreSQL database of its own.
//
// The server is the one that ROOMPULSE_TEST_DATABASE_URL names (its role must be allowed to create databases), or else a
// private one in the temporary directory. That one trades safety for speed, is shared by all test processes of a user, and
// is stopped by the last of them; its data stay for the next run.
//
// A migrated database is a copy of a template, which is built once for each state of the schema. What killed processes
// have left on the server, and templates that nobody uses any more, are removed by the next process that comes.
package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
)

// New returns the URL of a migrated database without rows, which is the test's own and is dropped after it.
func New(tb testing.TB) string {
	tb.Helper()
	s := current(tb)
	template, err := s.template(tb.Context())
	if err != nil {
		tb.Fatalf("pgtest: make the template of migrated databases: %v", err)
	}
	return database(tb, s, template)
}

// Empty is New without migrations.
func Empty(tb testing.TB) string {
	tb.Helper()
	return database(tb, current(tb), "template0")
}

func database(tb testing.TB, s *session, template string) string {
	tb.Helper()
	name, err := s.create(tb.Context(), template)
	if err != nil {
		tb.Fatalf("pgtest: make a database: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.drop(context.WithoutCancel(tb.Context()), name); err != nil {
			tb.Errorf("pgtest: %v", err)
		}
	})
	return s.databaseURL(name)
}

// As returns the URL for logging in to a test's database as another role of the
// server, which must exist. Roles belong to the whole server: a test may not change what it is or drop it.
func As(tb testing.TB, databaseURL, role string) string {
	tb.Helper()
	s := current(tb)
	u, err := url.Parse(databaseURL)
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	query := u.Query()
	query.Del("user")
	u.RawQuery = query.Encode()
	u.User = url.User(role)
	if s.server == nil {
		if err := s.setPassword(tb.Context(), role); err != nil {
			tb.Fatalf("pgtest: give the role %s a password: %v", role, err)
		}
		u.User = url.UserPassword(role, rolePassword)
	}
	return u.String()
}

// Main runs the tests of a package that needs databases, and then leaves the server:
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
func Main(m *testing.M) { Wrap(m).Run() }

// Runner runs the tests of a package, as *testing.M does.
type Runner interface{ Run() int }

// Wrap is Main for a TestMain that needs the runner for another purpose, like testscript.Main.
func Wrap(m Runner) Runner { return runner{m} }

type runner struct{ Runner }

var (
	mainRuns atomic.Bool
	joined   atomic.Pointer[session]
)

func (r runner) Run() int {
	mainRuns.Store(true)
	code := r.Runner.Run()
	if s := joined.Load(); s != nil {
		if err := s.leave(); err != nil {
			fmt.Fprintf(os.Stderr, "pgtest: leave the server: %v\n", err)
			return max(code, 1)
		}
	}
	return code
}

// current returns the session of this process, begun by the first test that needs it.
func current(tb testing.TB) *session {
	tb.Helper()
	if !mainRuns.Load() {
		tb.Fatal("pgtest: the package needs `func TestMain(m *testing.M) { pgtest.Main(m) }`")
	}
	s, err := join()
	if err != nil {
		tb.Fatalf("pgtest: join the server: %v", err)
	}
	return s
}
