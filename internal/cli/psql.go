package cli

import (
	"net/url"
	"regexp"
	"strings"
)

// passwordSetting finds a password in a connection string of keywords.
var passwordSetting = regexp.MustCompile(`(?i)\bpassword\s*=\s*('(?:[^'\\]|\\.)*'|\S*)`)

// psqlCommand returns the arguments and the environment that let psql connect
// to a database, its password in the environment.
func psqlCommand(path, database string, args []string) (argv, environ []string, err error) {
	password := ""
	if strings.HasPrefix(database, "postgres://") || strings.HasPrefix(database, "postgresql://") {
		u, err := url.Parse(database)
		if err != nil {
			return nil, nil, errBadURL
		}
		password, _ = u.User.Password()
		if u.User != nil {
			u.User = url.User(u.User.Username())
		}
		query := u.Query()
		if query.Has("password") {
			password = query.Get("password")
			query.Del("password")
			u.RawQuery = query.Encode()
		}
		database = u.String()
	} else if found := passwordSetting.FindStringSubmatch(database); found != nil {
		password = strings.NewReplacer(`\\`, `\`, `\'`, `'`).Replace(strings.Trim(found[1], "'"))
		database = passwordSetting.ReplaceAllLiteralString(database, "")
	}
	if password != "" {
		environ = []string{"PGPASSWORD=" + password}
	}
	return append([]string{path, "--dbname", database}, args...), environ, nil
}
