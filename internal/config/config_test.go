package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"roompulse/internal/audit"
)

func TestReadSecret(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, test := range map[string]struct {
		value, path string
		want, err   string
	}{
		"nothing":             {},
		"a value":             {value: "sk-1", want: "sk-1"},
		"a file":              {path: file("plain", "sk-2"), want: "sk-2"},
		"a file with a line":  {path: file("line", "sk-3\n"), want: "sk-3"},
		"a file from Windows": {path: file("windows", "sk-4\r\n"), want: "sk-4"},
		"blanks are kept":     {path: file("blanks", " sk 5 \n"), want: " sk 5 "},
		"both":                {value: "sk-6", path: file("both", "sk-6"), err: "SECRET and SECRET_FILE are both set"},
		"an empty file":       {path: file("empty", "\n"), err: "SECRET_FILE: " + filepath.Join(dir, "empty") + " is empty"},
		"no file":             {path: filepath.Join(dir, "none"), err: "no such file"},
		"a folder":            {path: dir, err: "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SECRET", test.value)
			t.Setenv("SECRET_FILE", test.path)
			got, err := ReadSecret("SECRET")
			if string(got) != test.want {
				t.Errorf("%q, not %q", string(got), test.want)
			}
			if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Errorf("error %v, not %q", err, test.err)
			}
			if _, usage := errors.AsType[audit.UsageError](err); err != nil && !usage {
				t.Errorf("%v is no error of usage", err)
			}
		})
	}
}

// TestSecretIsNotShown, however it is printed, encoded or logged, alone or in a struct.
func TestSecretIsNotShown(t *testing.T) {
	t.Parallel()
	const hidden = "s3cret"
	p := Portal{Host: "acme.example", Key: hidden}
	encoded, err := json.Marshal(map[string]Secret{"key": p.Key})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("start", slog.Any("portal", p), slog.Any("key", p.Key))
	for _, text := range []string{
		fmt.Sprint(p), fmt.Sprintf("%v %+v %#v %s %q %x", p, p, p, p.Key, p.Key, p.Key),
		string(encoded), log.String(),
	} {
		if strings.Contains(text, hidden) || strings.Contains(text, fmt.Sprintf("%x", hidden)) {
			t.Errorf("the secret is shown: %s", text)
		}
	}
}

func TestPortalKey(t *testing.T) {
	t.Setenv("DOCSPACE_API_KEY", "")
	t.Setenv("DOCSPACE_API_KEY_FILE", "")
	if _, err := PortalKey(); err == nil || !strings.Contains(err.Error(), "DOCSPACE_API_KEY_FILE to a key with the scope *:read") {
		t.Errorf("without a key: %v", err)
	}
	t.Setenv("DOCSPACE_API_KEY", "sk-1")
	if key, err := PortalKey(); err != nil || string(key) != "sk-1" {
		t.Errorf("%q, %v", string(key), err)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := Portal{Host: "acme.example", MaxRequestsPerMinute: 1350, MaxParallel: 20}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	unlimited := Portal{Host: "acme.example"}
	if err := unlimited.Validate(); err != nil {
		t.Error(err)
	}
	for want, p := range map[string]Portal{
		"DOCSPACE_API_HOST":            {},
		"--max-requests-per-minute -1": {Host: "acme.example", MaxRequestsPerMinute: -1},
		"--max-parallel -5":            {Host: "acme.example", MaxParallel: -5},
	} {
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %s", err, want)
		}
	}
}
