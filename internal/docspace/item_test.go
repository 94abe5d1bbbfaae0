package docspace

import (
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"roompulse/internal/audit"
)

func TestOddFields(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ fields, actor, extra string }{
		"the last of several counts":     {`"user":"A","user":"B","x":1,"y":2,"x":3`, "B", `{"x":3,"y":2}`},
		"even if it is none":             {`"user":"A","user":null`, "", ``},
		"or another type":                {`"user":"A","user":{}`, "", `{"user":{}}`},
		"names with escapes":             {`"us\u0065r":"A","\u0078":1`, "A", `{"x":1}`},
		"names are told by their case":   {`"User":"A"`, "", `{"User":"A"}`},
		"names of broken UTF-8":          {"\"a\xff\":1", "", "{\"a\uFFFD\":1}"},
		"no field is left from the last": {``, "", ``},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fields := test.fields
			if fields != "" {
				fields = "," + fields
			}
			r := newItemReader([]byte(`[{"id":1,"date":"2026-09-14T14:05:31Z","user":"old","ip":[1],"z":1} , {"id":2,"date":"2026-09-14T14:05:31Z"` + fields + `}]`))
			if _, err := r.in.ReadToken(); err != nil {
				t.Fatal(err)
			}
			var e audit.Event
			for range 2 {
				item, err := r.next()
				if err != nil {
					t.Fatal(err)
				}
				if e, err = r.event(item); err != nil {
					t.Fatal(err)
				}
			}
			if e.ID != 2 || e.ActorName != test.actor || string(e.Extra) != test.extra {
				t.Errorf("%d, %q, extra %s", e.ID, e.ActorName, e.Extra)
			}
		})
	}
}

func TestEntityTypeCanBeStored(t *testing.T) {
	t.Parallel()
	e, err := decodeEvent([]byte(`{"id":1,"date":"2026-09-14T14:05:31Z","entityType":"a\u0000b"}`))
	if err != nil || e.Payload.EntityType != "a\uFFFDb" {
		t.Errorf("%q, %v", e.Payload.EntityType, err)
	}
}

func TestSharedTexts(t *testing.T) {
	t.Parallel()
	s := newItemReader(nil).texts
	b := []byte("Anna Kern")
	first, second := s.share(b), s.share([]byte("Anna Kern"))
	if unsafe.StringData(first) != unsafe.StringData(second) {
		t.Error("equal texts are not shared")
	}
	b[0] = 'X'
	if first != "Anna Kern" {
		t.Errorf("the text is a part of what was read: %q", first)
	}
	var texts []string
	for i := range 3 * len(s.texts) { // several of one hash
		texts = append(texts, strconv.Itoa(i), strings.Repeat("x", i))
	}
	for range 2 {
		for _, text := range texts {
			if got := s.share([]byte(text)); got != text {
				t.Fatalf("%q became %q", text, got)
			}
		}
	}
}
