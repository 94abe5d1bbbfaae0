package demoportal_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"roompulse/internal/demoportal"
)

// shape lists the fields of a JSON value with their kinds; elements of an array
// are one.
func shape(value any, path string, into map[string]bool) {
	switch v := value.(type) {
	case map[string]any:
		for name, field := range v {
			shape(field, path+"."+name, into)
		}
	case []any:
		into[path+"[]"] = true
		for _, element := range v {
			shape(element, path+"[]", into)
		}
	default:
		into[fmt.Sprintf("%s %T", path, value)] = true
	}
}

func shapeOf(t *testing.T, bodies ...[]byte) map[string]bool {
	t.Helper()
	into := make(map[string]bool)
	for _, body := range bodies {
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
			t.Fatal(err)
		}
		shape(v, "", into)
	}
	return into
}

// TestAnswersHaveTheShapeOfTheExamples compares fields and kinds both ways:
// an answer has all that an example has, and nothing else, but for what is
// named beside it.
func TestAnswersHaveTheShapeOfTheExamples(t *testing.T) {
	t.Parallel()
	s := newScene()
	later := s.end.AddDate(0, 0, 1)
	keys := []demoportal.Key{{Token: demoportal.DefaultKey, Owner: s.anna, Scopes: []string{"*:read"}, Expires: later.AddDate(1, 0, 0)}}
	p := demoportal.New(s.World, demoportal.Options{Now: fixed(later), Keys: keys})
	faulty := func(change func(*demoportal.Faults)) *demoportal.Portal {
		other := demoportal.New(s.World, demoportal.Options{Now: fixed(later)})
		other.SetFaults(change)
		return other
	}
	unreadable := faulty(func(f *demoportal.Faults) { f.Unreadable = func(string) bool { return true } })
	hidden := faulty(func(f *demoportal.Faults) { f.Audit = demoportal.AuditHidden })

	for _, c := range []struct {
		example string
		portal  *demoportal.Portal
		paths   []string
		more    []string // of the answer, absent from the example
		less    []string // of the example, absent from the answer
	}{
		{example: "audit-events.*", paths: []string{"security/audit/events/filter"}},
		{example: "audit-lifetime", paths: []string{"security/audit/settings/lifetime"}},
		{example: "audit-mappers*", paths: []string{"security/audit/mappers"}},
		{example: "audit-types*", paths: []string{"security/audit/types"}},
		{example: "error.400-argument", paths: []string{"security/audit/events/filter?entryType=Room&target=12"}},
		{example: "error.400-binding", paths: []string{"security/audit/events/filter?count=500"}},
		{example: "error.402-plan", portal: hidden, paths: []string{"security/audit/events/filter"}},
		{example: "error.404-folder", paths: []string{"files/folder/4711/log"}},
		{example: "error.500-moduleType", paths: []string{"security/audit/events/filter?moduleType=Files"}},
		{example: "file-info", paths: []string{"files/file/" + s.plan.ID}},
		{example: "folder-path", paths: []string{"files/folder/" + s.final.ID + "/path"}},
		{example: "group.json", paths: []string{"group/" + s.analysts.ID}},
		{example: "group-share*", paths: []string{"files/folder/" + s.steering.ID + "/group/" + s.analysts.ID + "/share"}},
		{example: "key-self", paths: []string{"keys/@self"}},
		{
			example: "people-filter", paths: []string{"people/filter"},
		},
		{example: "room-info", paths: []string{"files/rooms/" + s.survey.ID}},
		{example: "room-share.1*", paths: []string{"files/rooms/" + s.steering.ID + "/share"}},
		{
			example: "room-share.2*", paths: []string{"files/rooms/" + s.survey.ID + "/links"},
			more: []string{".response[].sharedLink.password string", ".response[].sharedTo.password string"},
			// No invitation link has been made.
			less: []string{
				".response[].sharedLink.maxUseCount float64", ".response[].sharedTo.maxUseCount float64",
				".response[].sharedLink.currentUseCount float64", ".response[].sharedTo.currentUseCount float64",
			},
		},
		{example: "room-share.3*", portal: unreadable, paths: []string{"files/rooms/" + s.survey.ID + "/share"}},
		{example: "rooms-list.1*", paths: []string{"files/rooms"}},
		{example: "rooms-list.2*", paths: []string{"files/rooms?searchArea=Archive"}},
		{
			example: "folder-log*", paths: []string{"files/folder/" + s.survey.ID + "/log", "files/folder/" + s.steering.ID + "/log", "files/folder/" + s.intake.ID + "/log"},
			more: []string{
				".response[].data.fromFolderId float64", ".response[].data.fromParentTitle string", ".response[].data.fromParentType float64",
			},
		},
	} {
		t.Run(c.example, func(t *testing.T) {
			t.Parallel()
			files, err := filepath.Glob(filepath.Join("testdata", strings.TrimSuffix(c.example, ".json")+".json"))
			if err != nil || len(files) == 0 {
				t.Fatalf("no example %s (%v)", c.example, err)
			}
			var examples, answers [][]byte
			for _, file := range files {
				body, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				examples = append(examples, body)
			}
			portal := c.portal
			if portal == nil {
				portal = p
			}
			for _, path := range c.paths {
				answers = append(answers, ask(t, portal, demoportal.DefaultKey, path).Body)
			}
			want, got := shapeOf(t, examples...), shapeOf(t, answers...)
			for field := range want {
				if !got[field] && !slices.Contains(c.less, field) {
					t.Errorf("missing: %s", field)
				}
			}
			for field := range got {
				if !want[field] && !slices.Contains(c.more, field) {
					t.Errorf("not in the example: %s", field)
				}
			}
		})
	}
}

func TestEnvelopeKeepsItsOrder(t *testing.T) {
	t.Parallel()
	s := newScene()
	p := demoportal.New(s.World, demoportal.Options{Now: fixed(s.end)})
	body := string(get(t, p, "people/filter").Body)
	last := -1
	for _, name := range []string{`{"response":`, `,"count":`, `,"total":`, `,"links":`, `,"status":`, `,"statusCode":`} {
		at := strings.LastIndex(body, name)
		if at <= last {
			t.Fatalf("%s is at %d, after %d", name, at, last)
		}
		last = at
	}
}
