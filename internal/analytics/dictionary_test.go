package analytics_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"roompulse/internal/testkit/pgtest"
)

const (
	dictionaryFile = "../../docs/schema.md"
	contractFile   = "testdata/contract.txt"
)

// relation is a table or view of the live catalogue.
type relation struct {
	Schema, Name, Comment string
	Columns               []column
}

type column struct {
	Name, Type, Comment string
	Key                 bool
}

func (r relation) has(name string) bool {
	return slices.ContainsFunc(r.Columns, func(c column) bool { return c.Name == name })
}

// key returns the columns of the primary key, portal_id apart.
func (r relation) key() (names []string) {
	for _, c := range r.Columns {
		if c.Key && c.Name != "portal_id" {
			names = append(names, c.Name)
		}
	}
	return names
}

// relations reads the catalogue: views of analytics and tables of the warehouse, each by name.
func relations(t *testing.T, conn *pgx.Conn) (views, tables []relation) {
	t.Helper()
	rows, err := conn.Query(t.Context(), `
		SELECT
			n.nspname, c.relname, coalesce(obj_description(c.oid, 'pg_class'), ''),
			a.attname, replace(format_type(a.atttypid, a.atttypmod), 'timestamp with time zone', 'timestamptz'),
			coalesce(col_description(c.oid, a.attnum), ''), coalesce(a.attnum = ANY(k.conkey), false)
		FROM pg_class AS c
		INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
		INNER JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype = 'p'
		WHERE n.nspname IN ('analytics', 'public') AND c.relkind IN ('r', 'v', 'm', 'p') AND c.relname <> 'goose_db_version'
		ORDER BY n.nspname, c.relname, a.attnum`)
	must(t, err)
	for rows.Next() {
		var r relation
		var c column
		must(t, rows.Scan(&r.Schema, &r.Name, &r.Comment, &c.Name, &c.Type, &c.Comment, &c.Key))
		list := &tables
		if r.Schema == "analytics" {
			list = &views
		}
		if n := len(*list); n == 0 || (*list)[n-1].Name != r.Name {
			*list = append(*list, r)
		}
		last := &(*list)[len(*list)-1]
		last.Columns = append(last.Columns, c)
	}
	must(t, rows.Err())
	return views, tables
}

type function struct{ Name, Arguments, Result, Comment string }

func functions(t *testing.T, conn *pgx.Conn) []function {
	t.Helper()
	rows, err := conn.Query(t.Context(), `
		SELECT
			p.proname, replace(pg_get_function_arguments(p.oid), 'timestamp with time zone', 'timestamptz'),
			replace(pg_get_function_result(p.oid), 'timestamp with time zone', 'timestamptz'),
			coalesce(obj_description(p.oid, 'pg_proc'), '')
		FROM pg_proc AS p
		WHERE p.pronamespace = 'analytics'::regnamespace
		ORDER BY p.proname`)
	must(t, err)
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[function])
	must(t, err)
	return list
}

// TestEverythingHasAComment: each table, view, column and function says what it is.
func TestEverythingHasAComment(t *testing.T) {
	t.Parallel()
	conn := connect(t, pgtest.New(t))
	views, tables := relations(t, conn)
	if len(views) < 10 || len(tables) < 20 {
		t.Errorf("there are only %d views and %d tables", len(views), len(tables))
	}
	for _, r := range slices.Concat(views, tables) {
		if r.Comment == "" {
			t.Errorf("%s.%s has no comment", r.Schema, r.Name)
		}
		for _, c := range r.Columns {
			if c.Comment == "" {
				t.Errorf("%s.%s.%s has no comment", r.Schema, r.Name, c.Name)
			}
		}
	}
	for _, f := range functions(t, conn) {
		if f.Comment == "" {
			t.Errorf("analytics.%s has no comment", f.Name)
		}
	}
	if list[*string](t, conn, "SELECT obj_description('analytics'::regnamespace, 'pg_namespace')")[0] == nil {
		t.Error("the schema analytics has no comment")
	}
}

// TestContract: the names, types and order of what analysts build on are as they were.
func TestContract(t *testing.T) {
	t.Parallel()
	conn := connect(t, pgtest.New(t))
	views, _ := relations(t, conn)
	var b strings.Builder
	for _, v := range views {
		for _, c := range v.Columns {
			fmt.Fprintf(&b, "%s.%s %s\n", v.Name, c.Name, c.Type)
		}
	}
	for _, f := range functions(t, conn) {
		fmt.Fprintf(&b, "%s(%s) %s\n", f.Name, f.Arguments, f.Result)
	}
	golden(t, contractFile, b.String(),
		"Analysts' queries rest on it: a new column comes last in its view; any other change is a new view, and a note of deprecation "+
			"in the comment of the old one. If that is what this is: go test ./internal/analytics -run Contract -update")
}

func golden(t *testing.T, file, got, otherwise string) {
	t.Helper()
	if *update {
		must(t, os.WriteFile(file, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if got == string(want) {
		return
	}
	a, b := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			t.Errorf("%s, line %d:\n is %q\nnow %q", file, i+1, slices.Concat(a, []string{""})[min(i, len(a))], slices.Concat(b, []string{""})[min(i, len(b))])
			break
		}
	}
	t.Error(otherwise)
}

// TestDictionary: docs/schema.md is what the live catalogue says.
func TestDictionary(t *testing.T) {
	t.Parallel()
	conn := connect(t, pgtest.New(t))
	views, tables := relations(t, conn)
	var b strings.Builder
	b.WriteString(`# Schema

<!-- Made by make generate from the comments of a migrated database: change those, in migrations/. -->

The schema ` + "`analytics`" + ` is a contract: [its views](#views) keep their names, columns and types. The [tables](#tables) behind
them may change with any version.

A new column comes last in its view. A change that would break a query is made in a new view beside the old one, whose comment
then says which it is and until which version the old one stays: at least one minor version. ` + "`CHANGELOG.md`" + ` tells of both.

All times are ` + "`timestamptz`" + `, all days UTC days. A portal is its base URL. Ids are DocSpace's, as text, and unique only
together with the portal: join by both. [docs/sql](sql/README.md) has questions with their answers in SQL.

## Views

`)
	writeDiagram(&b, views, false)
	for _, v := range views {
		writeRelation(&b, v)
	}
	for _, f := range functions(t, conn) {
		fmt.Fprintf(&b, "### %s()\n\n%s.\n\nNot on Citus, which has no functions over distributed tables.\n\n", f.Name, f.Comment)
		fmt.Fprintf(&b, "    analytics.%s(%s)\n", f.Name, f.Arguments)
		fmt.Fprintf(&b, "    %s\n\n", f.Result)
	}
	b.WriteString("## Tables\n\nNot a contract. The diagram shows keys only.\n\n")
	writeDiagram(&b, tables, true)
	for _, table := range tables {
		writeRelation(&b, table)
	}
	golden(t, dictionaryFile, strings.TrimRight(b.String(), "\n")+"\n", "It is not what the database says of itself; run: make generate")
}

// named are the columns by which rows name those of another relation; of tables also
// those that end in _key.
var named = map[string]struct{ view, table string }{
	"portal": {view: "portals"}, "room_id": {view: "rooms"}, "account_id": {view: "accounts"}, "action_id": {"actions", "action"},
	"run_id": {"sync_runs", "sync_run"}, "event_id": {"events", "audit_event"}, "entry_id": {table: "entry"},
}

// refersTo reports whether a column of another relation names a row of this one.
func (r relation) refersTo(column string) bool {
	if r.Schema == "analytics" {
		return named[column].view == r.Name
	}
	k := r.key()
	return named[column].table == r.Name || strings.HasSuffix(column, "_key") && len(k) == 1 && k[0] == column
}

// writeDiagram draws relations and what refers to what, for Mermaid.
func writeDiagram(b *strings.Builder, all []relation, keysOnly bool) {
	b.WriteString("```mermaid\nerDiagram\n")
	var edges []string
	foreign := make(map[string]bool)
	for _, to := range all {
		for _, from := range all {
			for _, c := range from.Columns {
				if from.Name == to.Name || !to.refersTo(c.Name) || c.Name == "portal" && namesMore(from) {
					continue
				}
				many := "||--o{"
				if k := from.key(); len(k) == 1 && k[0] == c.Name {
					many = "||--o|"
				}
				edges = append(edges, fmt.Sprintf("    %s %s %s : %s\n", to.Name, many, from.Name, c.Name))
				foreign[from.Name+"."+c.Name] = true
			}
		}
	}
	for _, r := range all {
		fmt.Fprintf(b, "    %s {\n", r.Name)
		for _, c := range r.Columns {
			mark := ""
			switch isForeign := foreign[r.Name+"."+c.Name]; {
			case c.Key && isForeign:
				mark = " PK, FK"
			case c.Key:
				mark = " PK"
			case isForeign:
				mark = " FK"
			case keysOnly:
				continue
			}
			fmt.Fprintf(b, "        %s %s%s\n", c.Type, c.Name, mark)
		}
		b.WriteString("    }\n")
	}
	b.WriteString(strings.Join(edges, ""))
	b.WriteString("```\n\n")
}

// namesMore reports whether rows of a view name a room or an account, and by it the portal.
func namesMore(r relation) bool {
	return (r.has("room_id") || r.has("account_id")) && r.Name != "rooms" && r.Name != "accounts"
}

func writeRelation(b *strings.Builder, r relation) {
	fmt.Fprintf(b, "### %s\n\n%s.\n\n| Column | Type | Meaning |\n| --- | --- | --- |\n", r.Name, cell(r.Comment))
	for _, c := range r.Columns {
		fmt.Fprintf(b, "| `%s` | `%s` | %s |\n", c.Name, c.Type, cell(c.Comment))
	}
	b.WriteString("\n")
}

func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "\n", " ").Replace(text)
}
