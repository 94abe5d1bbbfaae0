package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// TestHelp compares the help of all commands with testdata/help.txt, and holds
// it to one style.
func TestHelp(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	var visit func(path []string, commands []*cli.Command)
	visit = func(path []string, commands []*cli.Command) {
		fmt.Fprintf(&all, "$ %s --help\n%s\n", strings.Join(path, " "), help(t, path))
		for _, c := range commands {
			checkStyle(t, append(path, c.Name), c)
			visit(append(path, c.Name), c.Subcommands)
		}
	}
	visit([]string{"roompulse"}, (&app{}).command().Commands)

	golden := filepath.Join("testdata", "help.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(all.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if all.String() != string(want) {
		t.Errorf("the help is not that of %s any more; if it is better, run the test with -update. It is:\n%s", golden, all.String())
	}
	for i, line := range strings.Split(all.String(), "\n") {
		if n := len([]rune(line)); n > 140 || line != strings.TrimRight(line, " ") {
			t.Errorf("help, line %d has %d characters, or blanks at its end: %q", i+1, n, line)
		}
	}
}

// help is what a command prints with --help, on stdout and nothing else.
func help(t *testing.T, path []string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	a := &app{stdout: &stdout, stderr: newScreen(&stderr), version: "v1.2.3"}
	if code := a.run(t.Context(), append(path, "--help")); code != 0 || stderr.Len() > 0 {
		t.Errorf("%s --help: exit code %d, %s", strings.Join(path, " "), code, &stderr)
	}
	return stdout.String()
}

// checkStyle: a line says what a command does or a flag means, as one says it after "it is to".
func checkStyle(t *testing.T, path []string, c *cli.Command) {
	t.Helper()
	name := strings.Join(path, " ")
	texts := map[string]string{name: c.Usage}
	for _, f := range c.Flags {
		if d, ok := f.(cli.DocGenerationFlag); ok && f != cli.HelpFlag {
			flag := name + " --" + f.Names()[0]
			texts[flag] = strings.TrimLeft(d.GetUsage(), "`")
			if d.TakesValue() && !strings.Contains(d.GetUsage(), "`") {
				t.Errorf("%s: the usage names no `VALUE`", flag)
			}
		}
	}
	for what, text := range texts {
		switch {
		case text == "":
			t.Errorf("%s: no usage", what)
		case strings.HasSuffix(text, "."), strings.Contains(text, "\n"):
			t.Errorf("%s: the usage is to be one line without a full stop: %q", what, text)
		case strings.HasPrefix(what, name+" --"): // may begin with the name of its value
		case strings.ToLower(text[:1]) != text[:1]:
			t.Errorf("%s: the usage is to begin with a small letter: %q", what, text)
		}
	}
}
