package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/rogpeppe/go-internal/testscript"

	"roompulse/internal/demoportal"
	"roompulse/internal/demoportal/world"
	"roompulse/internal/testkit/pgtest"
	"roompulse/internal/testkit/smtptest"
)

// password is in some of the scripts' URLs; no output may have it.
const password = "s3cret"

// stage is what a script plays on: a database and simulated portals.
type stage struct {
	tb       testing.TB
	database string    // URL of the script's own database
	conn     *pgx.Conn // to it, nil before it is needed
	now      atomic.Pointer[time.Time]
	portal   *demoportal.Portal // the newest
	server   *httptest.Server
	html     atomic.Bool
	smtp     *smtptest.Server
	// mailsSeen is how many mails the script has looked at.
	mailsSeen int
	// reached is closed when a request hangs.
	reached chan struct{}
}

type stageKey struct{}

// setUp gives each script a migrated database.
func setUp(e *testscript.Env) error {
	s := &stage{tb: e.T().(testing.TB)}
	s.database = pgtest.New(s.tb)
	s.now.Store(&noon)
	e.Values[stageKey{}] = s
	e.Setenv("DATABASE_URL", s.database)
	e.Setenv(clockVariable, noon.Format(time.RFC3339))
	return nil
}

// commands are those that the scripts know besides testscript's own.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"portal":   playPortal,
	"clock":    setClock,
	"database": setDatabase,
	"sql":      runSQL,
	"dump":     writeDump,
	"fails":    fails,
	"ends":     ends,
	"shape":    writeShape,
	"portable": writePortable,
	"smtp":     playSMTP,
}

func stageOf(ts *testscript.TestScript) *stage { return ts.Value(stageKey{}).(*stage) }

// try runs f, which returns an error instead of failing.
func try(ts *testscript.TestScript, neg bool, what string, err error) {
	if neg {
		ts.Fatalf("%s cannot be negated", what)
	}
	ts.Check(err)
}

// ends CODE ARG... runs roompulse, which must end with the exit code.
func ends(ts *testscript.TestScript, neg bool, args []string) {
	code, err := strconv.Atoi(args[0])
	try(ts, neg, "ends", err)
	err = ts.Exec("roompulse", args[1:]...)
	exit, failed := errors.AsType[*exec.ExitError](err)
	if err != nil && !failed || failed && exit.ExitCode() != code || !failed && code != 0 {
		ts.Fatalf("roompulse ends with %v, not with %d", err, code)
	}
}

// fails CODE ARG... is ends for what cannot be done: there is one line on
// stderr, nothing on stdout and no secret, and the database is left as it is.
func fails(ts *testscript.TestScript, neg bool, args []string) {
	s := stageOf(ts)
	before, err := s.dump()
	ts.Check(err)
	ends(ts, neg, args)
	stdout, stderr := ts.ReadFile("stdout"), ts.ReadFile("stderr")
	switch {
	case stdout != "":
		ts.Fatalf("there is something on stdout")
	case strings.Count(stderr, "\n") != 1, !strings.HasPrefix(stderr, "roompulse: "):
		ts.Fatalf("that is not one line of roompulse's")
	case strings.Contains(stderr, password), strings.Contains(stderr, demoportal.DefaultKey):
		ts.Fatalf("that shows a secret")
	}
	after, err := s.dump()
	ts.Check(err)
	if after != before {
		ts.Fatalf("the database is changed:\n%s\nit was:\n%s", after, before)
	}
}

// portal start [small|other|twins]
// portal stop|html|mend
// portal fault NAME
// portal hang; portal await
func playPortal(ts *testscript.TestScript, neg bool, args []string) {
	s := stageOf(ts)
	args = append(args, "")
	var err error
	switch args[0] {
	case "start":
		s.startPortal(args[1])
		ts.Setenv("PORTAL", s.server.URL)
		ts.Setenv("DOCSPACE_API_HOST", s.server.URL)
		ts.Setenv("DOCSPACE_API_KEY", demoportal.DefaultKey)
	case "stop":
		s.server.CloseClientConnections()
		s.server.Close()
	case "html":
		s.html.Store(true)
	case "mend":
		s.html.Store(false)
		s.portal.SetFaults(func(f *demoportal.Faults) { *f = demoportal.Faults{} })
	case "fault":
		change, ok := faults[args[1]]
		if !ok {
			err = fmt.Errorf("there is no fault %q", args[1])
			break
		}
		s.portal.SetFaults(change)
	case "hang":
		s.hang()
	case "await":
		<-s.reached
	default:
		err = fmt.Errorf("portal %s?", args[0])
	}
	try(ts, neg, "portal", err)
}

var faults = map[string]func(*demoportal.Faults){
	"no-audit-option": func(f *demoportal.Faults) { f.Audit = demoportal.AuditMissing },
	"plan":            func(f *demoportal.Faults) { f.Audit = demoportal.AuditHidden },
	"401":             func(f *demoportal.Faults) { f.Refuse = http.StatusUnauthorized },
	"403":             func(f *demoportal.Faults) { f.Refuse = http.StatusForbidden },
	"suspended":       func(f *demoportal.Faults) { f.Suspended = true },
	"garbled": func(f *demoportal.Faults) {
		f.Garble = func(e world.Event) string {
			if e.Title == "plan.docx" {
				return fmt.Sprintf(`{"id": "no. %d", "page": "https://portal.example.org/s/%s"}`, e.ID, password)
			}
			return ""
		}
	},
}

func (s *stage) startPortal(name string) {
	options := demoportal.Options{Now: func() time.Time { return *s.now.Load() }}
	var w *world.World
	switch name {
	case "", "small":
		w = smallWorld()
	case "twins":
		w = twinRooms()
	case "other":
		w = world.New(world.Config{Created: noon.AddDate(0, -1, 0), Owner: world.Person{ID: "user-olga", First: "Olga", Last: "Petrova"}})
		w.At(noon.AddDate(0, 0, -1), w.Owner()).CreateRoom(world.RoomSpec{Title: "Somewhere else"})
	}
	s.portal = demoportal.New(w, options)
	s.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if s.html.Load() {
			rw.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(rw, "<html><title>It works!</title></html>\n")
			return
		}
		s.portal.ServeHTTP(rw, r)
	}))
	s.tb.Cleanup(func() {
		s.server.CloseClientConnections()
		s.server.Close()
	})
}

// hang lets no question about audit events be answered.
func (s *stage) hang() {
	s.reached = make(chan struct{})
	var reached atomic.Bool
	s.portal.SetFaults(func(f *demoportal.Faults) {
		f.Script = func(r demoportal.Request) demoportal.Fault {
			if r.Endpoint != "security/audit/events/filter" {
				return demoportal.NoFault
			}
			if reached.CompareAndSwap(false, true) {
				close(s.reached)
			}
			return demoportal.Hang
		}
	})
}

// clock T sets the time for the portal and for roompulse.
func setClock(ts *testscript.TestScript, neg bool, args []string) {
	now, err := time.Parse(time.RFC3339, args[0])
	try(ts, neg, "clock", err)
	stageOf(ts).now.Store(&now)
	ts.Setenv(clockVariable, args[0])
}

// database empty|migrated|clerk|locked: another database for the script, with nothing
// in it, or without rows, or one that takes no password.
func setDatabase(ts *testscript.TestScript, neg bool, args []string) {
	s := stageOf(ts)
	var err error
	switch args[0] {
	case "empty", "migrated":
		create := map[string]func(testing.TB) string{"empty": pgtest.Empty, "migrated": pgtest.New}[args[0]]
		s.database, s.conn = create(s.tb), nil
		ts.Setenv("DATABASE_URL", s.database)
	case "clerk": // the same, for a role that owns nothing
		var login string
		if login, err = s.makeClerk(); err == nil {
			ts.Setenv("DATABASE_URL", pgtest.As(s.tb, s.database, login))
		}
	case "locked":
		var address string
		if address, err = refusePasswords(s.tb); err == nil {
			ts.Setenv("DATABASE_URL", "postgres://analyst:"+password+"@"+address+"/warehouse?sslmode=disable")
		}
	default:
		err = fmt.Errorf("database %s?", args[0])
	}
	try(ts, neg, "database", err)
}

// makeClerk migrates the database and makes a role that may read its tables.
func (s *stage) makeClerk() (name string, err error) {
	ctx := s.tb.Context()
	s.database = pgtest.New(s.tb)
	if s.conn, err = pgx.Connect(ctx, s.database); err != nil {
		return "", err
	}
	if err := s.conn.QueryRow(ctx, "SELECT 'clerk_of_' || current_database()").Scan(&name); err != nil {
		return "", err
	}
	s.tb.Cleanup(func() {
		if _, err := s.conn.Exec(context.WithoutCancel(ctx), "DROP OWNED BY "+name+"; DROP ROLE "+name); err != nil {
			s.tb.Error(err)
		}
	})
	_, err = s.conn.Exec(ctx, "CREATE ROLE "+name+" LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO "+name)
	return name, err
}

// refusePasswords serves PostgreSQL's protocol up to the password, which is wrong.
func refusePasswords(tb testing.TB) (address string, err error) {
	tb.Helper()
	listener, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	tb.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			server := pgproto3.NewBackend(conn, conn)
			_, _ = server.ReceiveStartupMessage()
			server.Send(&pgproto3.AuthenticationCleartextPassword{})
			_ = server.Flush()
			_, _ = server.Receive()
			server.Send(&pgproto3.ErrorResponse{
				Severity: "FATAL", Code: "28P01", Message: `password authentication failed for user "analyst"`,
			})
			_ = server.Flush()
			_ = conn.Close()
		}
	}()
	return listener.Addr().String(), nil
}

// sql QUERY prints the rows of a query in the script's database.
func runSQL(ts *testscript.TestScript, neg bool, args []string) {
	var table strings.Builder
	err := stageOf(ts).query(strings.Join(args, " "), func(values []any) {
		fmt.Fprintln(&table, values...)
	})
	try(ts, neg, "sql", err)
	_, err = io.WriteString(ts.Stdout(), table.String())
	ts.Check(err)
}

func (s *stage) query(sql string, row func(values []any)) error {
	ctx := s.tb.Context()
	if s.conn == nil {
		conn, err := pgx.Connect(ctx, s.database)
		if err != nil {
			return err
		}
		s.conn = conn
	}
	rows, err := s.conn.Query(ctx, sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return err
		}
		row(values)
	}
	return rows.Err()
}

// dump writes all rows of all tables, to see what a command changes.
func writeDump(ts *testscript.TestScript, neg bool, args []string) {
	content, err := stageOf(ts).dump()
	try(ts, neg, "dump", err)
	ts.Check(writeFile(ts, args[0], content))
}

func (s *stage) dump() (string, error) {
	var selects []string
	err := s.query(`
		SELECT format('SELECT %L, t::text FROM %I.%I AS t', table_name, table_schema, table_name) FROM information_schema.tables
		WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`,
		func(values []any) { selects = append(selects, values[0].(string)) })
	if err != nil || len(selects) == 0 {
		return "", err
	}
	var lines []string
	err = s.query(strings.Join(selects, " UNION ALL "), func(values []any) { lines = append(lines, fmt.Sprintln(values...)) })
	slices.Sort(lines)
	return strings.Join(lines, ""), err
}

// portable FILE COPY copies a file with $PORTAL in place of the portal's address,
// and $MESSAGE in place of what is made of it.
func writePortable(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("portable cannot be negated")
	}
	content := strings.ReplaceAll(ts.ReadFile(args[0]), stageOf(ts).server.URL, "$PORTAL")
	ts.Check(writeFile(ts, args[1], messageID.ReplaceAllString(content, "$$MESSAGE@")))
}

var messageID = regexp.MustCompile(`\broompulse\.(reminder|digest)\.[0-9a-f]{24}@`)

// shape FILE COPY writes which fields a JSON text has, in their order, and
// which kinds of value each takes.
func writeShape(ts *testscript.TestScript, neg bool, args []string) {
	s := shape{kinds: map[string][]string{}}
	decoder := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	err := s.value(decoder, "")
	if err == nil && decoder.More() {
		err = errors.New("there is more than one value")
	}
	try(ts, neg, "shape", err)
	var b bytes.Buffer
	for _, path := range s.paths {
		fmt.Fprintf(&b, "%s %s\n", path, strings.Join(s.kinds[path], "|"))
	}
	ts.Check(writeFile(ts, args[1], b.String()))
}

type shape struct {
	paths []string // in the order of their first appearance
	kinds map[string][]string
}

func (s *shape) value(d *json.Decoder, path string) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	kind := "null"
	switch v := token.(type) {
	case json.Delim:
		if v == '{' {
			return s.object(d, path)
		}
		for d.More() {
			if err := s.value(d, path+"[]"); err != nil {
				return err
			}
		}
		kind = "array"
		_, err = d.Token()
	case string:
		kind = "text"
		if _, err := time.Parse(time.RFC3339, v); err == nil && strings.HasSuffix(v, "Z") {
			kind = "time"
		}
	case float64:
		kind = "number"
	case bool:
		kind = "bool"
	}
	s.add(path, kind)
	return err
}

func (s *shape) object(d *json.Decoder, path string) error {
	if path != "" {
		s.add(path, "object")
		path += "."
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		if err := s.value(d, path+name.(string)); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func (s *shape) add(path, kind string) {
	if _, ok := s.kinds[path]; !ok {
		s.paths = append(s.paths, path)
	}
	if !slices.Contains(s.kinds[path], kind) {
		s.kinds[path] = append(s.kinds[path], kind)
		slices.Sort(s.kinds[path])
	}
}

func writeFile(ts *testscript.TestScript, name, content string) error {
	return os.WriteFile(ts.MkAbs(name), []byte(content), 0o600)
}
