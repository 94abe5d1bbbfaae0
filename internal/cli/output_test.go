package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestReplaceFileFails: what cannot be written to its end leaves what was there, and says so.
func TestReplaceFileFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before []string // contents of the file, if there is one
		want   string
	}{
		"no file": {nil, "no space left on device; nothing was left behind"},
		"a file":  {[]string{"before"}, "no space left on device; the file is as it was before"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "report.html")
			for _, content := range test.before {
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := replaceFile(path, func(w io.Writer) error {
				_, err := io.WriteString(w, "half of it")
				return errors.Join(err, syscall.ENOSPC)
			})
			if want := "write " + path + ": " + test.want; err == nil || oneLine(err) != want {
				t.Errorf("got %v, want %s", err, want)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != len(test.before) {
				t.Errorf("it leaves %v, %v", left, err)
			}
			for _, content := range test.before {
				if got, err := os.ReadFile(path); err != nil || string(got) != content {
					t.Errorf("the file has %q, %v", got, err)
				}
			}
		})
	}
}
