package cli

import (
	"context"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"roompulse/internal/testkit/pgtest"
)

var update = flag.Bool("update", false, "write what comes out into testdata as what is expected")

// clockVariable is the time that roompulse takes for the present in scripts.
const clockVariable = "TEST_CLOCK"

// TestMain makes the test binary roompulse as well, for processes of their own.
func TestMain(m *testing.M) {
	testscript.Main(pgtest.Wrap(m), map[string]func(){"roompulse": func() {
		a := &app{stdout: os.Stdout, stderr: newScreen(os.Stderr), version: "v1.2.3", now: time.Now, firstRetry: time.Millisecond}
		if clock, err := time.Parse(time.RFC3339, os.Getenv(clockVariable)); err == nil {
			a.now = func() time.Time { return clock }
		}
		os.Exit(a.run(context.Background(), os.Args))
	}})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", Setup: setUp, Cmds: commands, UpdateScripts: *update, RequireUniqueNames: true,
	})
}
