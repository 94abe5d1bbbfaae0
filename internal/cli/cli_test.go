package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"roompulse/internal/audit"
	"roompulse/internal/ingest"
	"roompulse/internal/store"
)

func TestExitCode(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		code int
	}{
		{errors.New("the disk is full"), 1},
		{audit.Usagef("--last 3m"), 2},
		{store.ErrPortalMoved, 2},
		{audit.ErrNothingComplete, 1},
		{ingest.ErrIncomplete, 3},
		{errIncomplete, 3},
		{errOld, 3},
		{audit.ErrRefused, 4},
		{store.ErrLocked, 5},
	} {
		for _, err := range []error{test.err, fmt.Errorf("sync: %w", test.err), errors.Join(test.err, errors.New("record the end of the run"))} {
			if code := exitCode(err); code != test.code {
				t.Errorf("%v: exit code %d, not %d", err, code, test.code)
			}
		}
	}
}

func TestOneLine(t *testing.T) {
	t.Parallel()
	err := errors.Join(errors.New("no connection\n\tto 127.0.0.1\r\n\tto ::1"), errors.New("record the end"))
	if got, want := oneLine(err), "no connection; to 127.0.0.1; to ::1; record the end"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
}

// TestInterrupted: what fails after the process was told to stop is no failure
// of its own, whatever it looks like.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	a := &app{stdout: &stdout, stderr: newScreen(&stderr)}
	code := a.run(ctx, []string{"roompulse", "report", "nix"})
	if code != 1 || stderr.String() != "roompulse: interrupted\n" {
		t.Errorf("exit code %d, %s", code, &stderr)
	}
}

func TestPsqlCommand(t *testing.T) {
	t.Parallel()
	for database, want := range map[string]string{
		"postgres://analyst:s3cret@db.example:5433/warehouse?sslmode=require": "postgres://analyst@db.example:5433/warehouse?sslmode=require",
		"postgresql://analyst:s3cret@/warehouse?host=/run/postgresql":         "postgresql://analyst@/warehouse?host=/run/postgresql",
		"postgres://db.example/warehouse?user=analyst&password=s3cret":        "postgres://db.example/warehouse?user=analyst",
		"postgres://analyst:s3cret@db.example":                                "postgres://analyst@db.example",
		"host=db.example user=analyst password=s3cret dbname=warehouse":       "host=db.example user=analyst  dbname=warehouse",
		"host=db.example PASSWORD = 's3cret' dbname=warehouse":                "host=db.example  dbname=warehouse",
	} {
		argv, environ, err := psqlCommand("/usr/bin/psql", database, []string{"-c", "SELECT 1"})
		if err != nil || !slices.Equal(argv, []string{"/usr/bin/psql", "--dbname", want, "-c", "SELECT 1"}) {
			t.Errorf("%s: %q, %v", database, argv, err)
		}
		if !slices.Equal(environ, []string{"PGPASSWORD=s3cret"}) {
			t.Errorf("%s: %q", database, environ)
		}
	}
	if _, environ, err := psqlCommand("/usr/bin/psql", "postgres:///warehouse", nil); err != nil || len(environ) > 0 {
		t.Errorf("without a password: %q, %v", environ, err)
	}
	_, _, err := psqlCommand("/usr/bin/psql", "postgres://analyst:s3cret@db.example:port/", nil)
	if err == nil || exitCode(err) != exitUsage || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a URL that is none: %v", err)
	}
	argv, environ, err := psqlCommand("/usr/bin/psql", `host=db.example password='s3\'cret \\'`, nil)
	if err != nil || argv[2] != "host=db.example " || !slices.Equal(environ, []string{`PGPASSWORD=s3'cret \`}) {
		t.Errorf("a quoted password: %q, %q, %v", argv, environ, err)
	}
}

func TestByteSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 5 << 30: "5.0 GiB", 5 << 50: "5120.0 TiB"} {
		if got := byteSize(n); got != want {
			t.Errorf("%d: %s, not %s", n, got, want)
		}
	}
}
