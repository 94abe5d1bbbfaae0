package demoportal

import (
	"encoding/json"
	"html"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestStringsSurviveTheWriter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune{'"', '\\', '\n', 0, 31, 'é', '山', '😀', ' '}))).Draw(t, "s")
		var got string
		if err := json.Unmarshal(appendString(nil, s), &got); err != nil || got != s {
			t.Fatalf("%q became %q (%v)", s, got, err)
		}
		if utf8.ValidString(s) && html.UnescapeString(encode(s)) != s {
			t.Fatalf("%q is encoded as %q", s, encode(s))
		}
	})
}

func TestBrokenUTF8IsReplaced(t *testing.T) {
	t.Parallel()
	var got string
	if err := json.Unmarshal(appendString(nil, "a\xffb"), &got); err != nil || got != "a\ufffdb" {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestFieldsCut(t *testing.T) {
	t.Parallel()
	got, err := parseFields("id,a.b").cut([]byte(`[{"id":9007199254740993,"x":1,"a":{"b":2,"c":3}},{"a":5}]`))
	if want := `[{"a":{"b":2},"id":9007199254740993},{"a":5}]`; err != nil || string(got) != want {
		t.Fatalf("%s, %v; want %s", got, err, want)
	}
}

func TestDatesOfQueries(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"2026-09-14T14:05:00Z": true, "2026-09-14T14:05:00+02:00": true, "2026-09-14T14:05:00.123Z": true, "2026-09-14T14:05:00.1234567-01:30": true,
		"2026-09-14T14:05:00": false, "2026-09-14": false, "2026-09-14T14:05:00.123456Z": false, "2026-09-14T14:05:00.1Z": false,
		"2026-09-14T14:05:00 02:00": false, "1757858700": false, "": false,
	} {
		if _, got := parseDate(s); got != want {
			t.Errorf("%q is understood: %v, want %v", s, got, want)
		}
	}
}
