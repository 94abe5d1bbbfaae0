package report

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/rivo/uniseg"
	"pgregory.net/rapid"
)

func TestPlain(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Ann Lee":               "Ann Lee",
		"two\nlines\r\n":        "two lines  ",
		"\x1b[31mred":           "\ufffd[31mred",
		"C1 \u009b31m":          "C1 \ufffd31m",
		"\u202eover\u202c":      "\ufffdover\ufffd",
		"\u2066isolated\u2069":  "\ufffdisolated\ufffd",
		"mark \u200f, \u061c":   "mark \ufffd, \ufffd",
		"soft\u00adhyphen":      "soft\ufffdhyphen",
		"\xff":                  "\ufffd",
		"👩‍👧":                   "👩‍👧",
		"نمی\u200cخواهم":        "نمی\u200cخواهم",
		"🏴\U000e0067\U000e007f": "🏴\U000e0067\U000e007f",
		"":                      "",
	} {
		if got := plain(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestPlainIsALine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		got := plain(rapid.String().Draw(t, "text"))
		if i := strings.IndexFunc(got, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }); i >= 0 {
			t.Fatalf("%q has a control character", got)
		}
		if again := plain(got); again != got {
			t.Fatalf("%q became %q", got, again)
		}
	})
}

func TestFit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text  string
		width int
		want  string
	}{
		{"Ann Lee", 7, "Ann Lee"},
		{"Ann Lee", 6, "Ann L…"},
		{"Ann Lee", 1, "…"},
		{"山田太郎", 8, "山田太郎"},
		{"山田太郎", 7, "山田太…"},
		{"山田太郎", 6, "山田…"}, // half a character is none
		{"Zoe\u0308x", 4, "Zoe\u0308x"},
		{"Zoe\u0308xy", 4, "Zoe\u0308…"},
		{"👩‍👩‍👧👩‍👩‍👧", 3, "👩‍👩‍👧…"},
	} {
		if got := fit(tc.text, tc.width); got != tc.want {
			t.Errorf("%q in %d is %q, want %q", tc.text, tc.width, got, tc.want)
		}
	}
}

func TestFitIsNoWider(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := plain(rapid.StringOf(rapid.SampledFrom([]rune("ab 山é\u0308👩\u200d🇩🇪ｗم"))).Draw(t, "text"))
		width := rapid.IntRange(1, 12).Draw(t, "width")
		if got := fit(text, width); uniseg.StringWidth(got) > width {
			t.Fatalf("%q takes %d columns, not %d", got, uniseg.StringWidth(got), width)
		}
	})
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text  string
		width int
		want  []string
	}{
		{"one two three", 0, []string{"one two three"}},
		{"one two three", 7, []string{"one two", "three"}},
		{"one two three", 1, []string{"one", "two", "three"}},
		{"", 0, []string{""}},
		{"missing; run roompulse sync --since 2026; see roompulse gap list", 12, []string{"missing; run", "roompulse sync --since 2026;", "see", "roompulse gap list"}},
		{"first roompulse sync. Then the rest", 10, []string{"first", "roompulse sync.", "Then the", "rest"}},
	} {
		if got := wrap(tc.text, tc.width); !slices.Equal(got, tc.want) {
			t.Errorf("%q in %d is %q, want %q", tc.text, tc.width, got, tc.want)
		}
	}
}

func TestFitColumns(t *testing.T) {
	t.Parallel()
	columns := []column{{least: 6}, {least: 4, spare: 2}, {}, {spare: 1}}
	natural := []int{12, 20, 5, 10}
	for _, tc := range []struct {
		width int
		want  []int
	}{
		{55, []int{12, 20, 5, 10}},
		{54, []int{12, 19, 5, 10}},
		{45, []int{11, 11, 5, 10}}, // from the widest that can give
		{43, []int{10, 10, 5, 10}},
		{33, []int{6, 4, 5, 10}},
		{32, []int{10, 11, 5, 0}}, // the first to spare
		{21, []int{6, 4, 5, 0}},
		{20, []int{11, 0, 5, 0}},
		{15, []int{6, 0, 5, 0}},
		{3, []int{6, 0, 5, 0}}, // as far as can be had
	} {
		got := fitColumns(columns, natural, tc.width)
		if !slices.Equal(got, tc.want) {
			t.Errorf("in %d: %v, want %v", tc.width, got, tc.want)
		}
	}
}
