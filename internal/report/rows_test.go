package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"roompulse/internal/audit"
	"roompulse/internal/report"
)

func write(tb testing.TB, name string, r *report.InactiveReport) string {
	tb.Helper()
	f, err := report.ParseFormat(name, "")
	if err != nil {
		tb.Fatal(err)
	}
	var out bytes.Buffer
	if err := f.WriteInactive(&out, r, report.Options{}); err != nil {
		tb.Fatal(err)
	}
	return out.String()
}

func TestFormatOfFile(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, file, want string }{
		{"", "", "table"},
		{"", "r.txt", "table"},
		{"", "r.html", "html"},
		{"", "dir.csv/r.HTM", "html"},
		{"", "r.json.md", "markdown"},
		{"", "r.jsonl", "ndjson"},
		{"", "r.txt", "table"},
		{"csv", "r.html", "csv"},
		{"csv", "r.pdf", "csv"},
	} {
		f, err := report.ParseFormat(tc.name, tc.file)
		if err != nil || f.Name != tc.want {
			t.Errorf("%q, %q: %s, %v; want %s", tc.name, tc.file, f.Name, err, tc.want)
		}
	}
}

// Rows have the names of the JSON, in its order, and say the same.
func TestRowsAreThoseOfJSON(t *testing.T) {
	t.Parallel()
	f, q := allStates()
	r := inactive(t, f, q)
	records, err := csv.NewReader(strings.NewReader(write(t, "csv", r))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSuffix(write(t, "ndjson", r), "\n"), "\n") {
		dec := json.NewDecoder(strings.NewReader(line))
		dec.UseNumber()
		var names, values []string
		for dec.More() {
			token, err := dec.Token()
			if err != nil {
				t.Fatal(err)
			}
			if token == json.Delim('{') {
				continue
			}
			names = append(names, token.(string))
			value, err := dec.Token()
			if err != nil {
				t.Fatal(err)
			}
			text := ""
			if value != nil {
				text = fmt.Sprint(value)
			}
			values = append(values, text)
		}
		if !slices.Equal(names, records[0]) {
			t.Fatalf("names are %q, and in CSV %q", names, records[0])
		}
		if !slices.Equal(values, records[i+1]) {
			t.Fatalf("values are %q, and in CSV %q", values, records[i+1])
		}
	}
}

// No cell of CSV is a formula, and no text is lost.
func TestCSVIsInert(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		text := func(label string) string {
			return rapid.StringOf(rapid.SampledFrom([]rune("=+-@\t\r\n'\",; a＝＋cmd|()\x00é"))).Draw(rt, label)
		}
		m := member("7", "ann", text("name"))
		m.Email = text("email")
		tender := room("7", text("title"))
		r, err := report.Inactive(t.Context(), &facts{Facts: audit.Facts{
			Coverage: complete(), Rooms: []audit.RoomFacts{tender}, Members: []audit.MemberFacts{m},
		}}, query())
		if err != nil {
			rt.Fatal(err)
		}
		out := write(t, "csv", r)
		if rest := strings.TrimSuffix(out, "\r\n"); rest == out || !strings.HasPrefix(out, "room_id,title,") {
			rt.Fatalf("lines do not end as RFC 4180 says: %q", out)
		}
		// The package reads \r\n within a cell as \n, so what is compared is too.
		records, err := csv.NewReader(strings.NewReader(out)).ReadAll()
		if err != nil {
			rt.Fatalf("%v: %q", err, out)
		}
		for i, want := range map[int]string{1: tender.Title, 3: m.Name, 4: m.Email} {
			cell := records[1][i]
			if strings.ContainsAny(cell[:min(1, len(cell))], "=+-@\t\r\n") {
				rt.Fatalf("%q may be a formula", cell)
			}
			want = strings.ReplaceAll(want, "\r\n", "\n")
			if got := strings.TrimPrefix(cell, "'"); got != want {
				rt.Fatalf("%q came back as %q", want, got)
			}
		}
	})
}
