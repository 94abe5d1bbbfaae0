package main

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"roompulse/internal/audit"
	"roompulse/internal/export"
)

// source has one row with a value of each type, one of NULLs, and one of what is
// nearly NULL.
type source struct{}

func (source) Export(_ context.Context, _ string, _ audit.Window, head func(audit.ExportHead) error, row func([]any) error) error {
	one, two, n := "a", "", int64(-7)
	at := time.Date(2026, 10, 25, 0, 59, 59, 123456000, time.UTC)
	rows := [][]any{
		{"Tender \"7\"\n=1", `{"a": [1, null]}`, true, int16(-3), int32(70000), int64(-1 << 60), 0.5, at, at.Truncate(24 * time.Hour), []*string{&one, nil, &two}, []*int64{&n, nil}},
		{nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil},
		{"", "{}", false, int16(0), int32(0), int64(0), 0.0, time.Unix(0, 0).UTC(), time.Unix(0, 0).UTC(), []*string{}, []*int64{}},
	}
	err := head(audit.ExportHead{Columns: []audit.Column{
		{Name: "text", Type: audit.ColumnText}, {Name: "json", Type: audit.ColumnJSON}, {Name: "bool", Type: audit.ColumnBool},
		{Name: "int16", Type: audit.ColumnInt16}, {Name: "int32", Type: audit.ColumnInt32}, {Name: "int64", Type: audit.ColumnInt64},
		{Name: "float", Type: audit.ColumnFloat}, {Name: "time", Type: audit.ColumnTime}, {Name: "date", Type: audit.ColumnDate},
		{Name: "texts", Type: audit.ColumnTexts}, {Name: "ints", Type: audit.ColumnInts},
	}})
	for i := 0; i < len(rows) && err == nil; i++ {
		err = row(rows[i])
	}
	return err
}

// TestDuckDB: DuckDB reads the Parquet of exports, with the types and the values that they have.
func TestDuckDB(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "export.parquet")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	format, err := export.ParseFormat("parquet", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := export.Run(t.Context(), source{}, "events", audit.Window{}, format, file); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	duck, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer duck.Close()
	for query, want := range map[string][]string{
		"SELECT column_name || ' ' || column_type FROM (DESCRIBE SELECT * FROM '" + path + "')": {
			"text VARCHAR", "json JSON", "bool BOOLEAN", "int16 SMALLINT", "int32 INTEGER", "int64 BIGINT", "float DOUBLE",
			"time TIMESTAMP WITH TIME ZONE", "date DATE", "texts VARCHAR[]", "ints BIGINT[]",
		},
		"SELECT to_json(f)::VARCHAR FROM (SELECT * REPLACE (epoch_us(time) AS time) FROM '" + path + "') AS f": {
			`{"text":"Tender \"7\"\n=1","json":{"a":[1,null]},"bool":true,"int16":-3,"int32":70000,"int64":-1152921504606846976,"float":0.5,` +
				`"time":1792889999123456,"date":"2026-10-25","texts":["a",null,""],"ints":[-7,null]}`,
			`{"text":null,"json":null,"bool":null,"int16":null,"int32":null,"int64":null,"float":null,"time":null,"date":null,"texts":null,"ints":null}`,
			`{"text":"","json":{},"bool":false,"int16":0,"int32":0,"int64":0,"float":0.0,"time":0,"date":"1970-01-01","texts":[],"ints":[]}`,
		},
	} {
		rows, err := duck.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				t.Fatal(err)
			}
			got = append(got, text)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%q\nwant\n%q", got, want)
		}
	}
}
