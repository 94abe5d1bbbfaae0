// Package config reads what roompulse is told by its environment.
package config

import (
	"log/slog"
	"os"
	"strings"

	"roompulse/internal/audit"
)

// Secret is a text that is never printed, logged or encoded by accident. Its
// value is string(s).
type Secret string

const redacted = "[secret]"

func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// ReadSecret returns the value of the variable, or the content of the file that
// the variable NAME_FILE names, without a line end; empty if neither is set.
// Secrets are no flags: other users of the machine see those.
func ReadSecret(name string) (Secret, error) {
	value, path := os.Getenv(name), os.Getenv(name+"_FILE")
	switch {
	case value != "" && path != "":
		return "", audit.Usagef("%s and %s_FILE are both set: unset one of them", name, name)
	case path == "":
		return Secret(value), nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", audit.Usagef("read %s_FILE: %v", name, err)
	}
	secret := strings.TrimRight(string(content), "\r\n")
	if secret == "" {
		return "", audit.Usagef("%s_FILE: %s is empty", name, path)
	}
	return Secret(secret), nil
}

// Portal is how to reach a portal.
type Portal struct {
	Host                 string // as typed
	Key                  Secret
	AllowHTTP            bool // the key may go unencrypted over the network
	MaxRequestsPerMinute int
	MaxParallel          int
}

// PortalKey returns the API key.
func PortalKey() (Secret, error) {
	key, err := ReadSecret("DOCSPACE_API_KEY")
	if err == nil && key == "" {
		err = audit.Usagef("no API key: set DOCSPACE_API_KEY or DOCSPACE_API_KEY_FILE to a key with the scope *:read, " +
			"made by the portal's owner or a DocSpace admin under Developer Tools > API keys")
	}
	return key, err
}

// Validate checks the limits.
func (p Portal) Validate() error {
	if p.Host == "" {
		return audit.Usagef("no portal: set DOCSPACE_API_HOST or give --portal, such as acme.onlyoffice.com")
	}
	if p.MaxRequestsPerMinute < 0 {
		return audit.Usagef("--max-requests-per-minute %d: give a positive number, or 0 for no limit", p.MaxRequestsPerMinute)
	}
	if p.MaxParallel < 0 {
		return audit.Usagef("--max-parallel %d: give a positive number, or 0 for no limit", p.MaxParallel)
	}
	return nil
}

// DatabaseURL returns where the warehouse is; empty means the private server.
func DatabaseURL() (Secret, error) { return ReadSecret("DATABASE_URL") }
