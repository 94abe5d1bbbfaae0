package demoportal_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"roompulse/internal/demoportal"
	"roompulse/internal/demoportal/world"
	"roompulse/internal/demoportal/worldgen"
)

// openAPIFile is DocSpace's own description of the routes. It is not part of
// this repository: who has it puts it beside, in ../shared/docspace.
const openAPIFile = "shared/docspace/openapi-subset.json"

func loadOpenAPI(t *testing.T) *openapi3.T {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		raw, err := os.ReadFile(filepath.Join(dir, openAPIFile))
		if err == nil {
			doc, err := openapi3.NewLoader().LoadFromData(correct(t, raw))
			if err != nil {
				t.Fatal(err)
			}
			return doc
		}
		if dir == filepath.Dir(dir) {
			t.Skipf("no %s in a folder above: answers are not compared with DocSpace's OpenAPI description", openAPIFile)
		}
	}
}

// correct changes the description exactly where it is known to be wrong on the wire.
func correct(t *testing.T, raw []byte) []byte {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	schemas := doc["components"].(map[string]any)["schemas"].(map[string]any)
	// Dates are strings, not objects.
	schemas["ApiDateTime"] = map[string]any{"type": "string", "format": "date-time"}
	for name, s := range schemas {
		schema := s.(map[string]any)
		// Objects are richer than the base types that the description names, and
		// envelopes have a total and links of objects.
		loosen(schema)
		// Parts of a history entry are missing where they do not apply.
		if name == "HistoryDto" {
			schema["required"] = []any{"action", "date", "id", "initiator"}
		}
	}
	// The lifetime stands in the response itself, without an inner "settings".
	schemas["TenantAuditSettingsWrapper"] = map[string]any{
		"type": "object",
		"properties": map[string]any{
			"response": map[string]any{"$ref": "#/components/schemas/TenantAuditSettings"},
		},
	}
	// What is an "object" there may be an array, as audit/mappers is.
	schemas["ObjectWrapper"].(map[string]any)["properties"].(map[string]any)["response"] = map[string]any{}
	// lastModified of the settings has no offset.
	delete(schemas["TenantAuditSettings"].(map[string]any)["properties"].(map[string]any)["lastModified"].(map[string]any), "format")
	// Ids are texts in third-party storage.
	for _, name := range []string{"FolderDtoInteger", "FileDtoInteger", "FileEntryDtoInteger"} {
		anyID(schemas[name].(map[string]any))
	}
	corrected, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return corrected
}

func loosen(node any) {
	switch n := node.(type) {
	case map[string]any:
		delete(n, "additionalProperties")
		for _, sub := range n {
			loosen(sub)
		}
	case []any:
		for _, sub := range n {
			loosen(sub)
		}
	}
}

func anyID(node any) {
	switch n := node.(type) {
	case map[string]any:
		for name, sub := range n {
			if slices.Contains([]string{"id", "parentId", "rootFolderId", "folderId"}, name) {
				n[name] = map[string]any{}
				continue
			}
			anyID(sub)
		}
	case []any:
		for _, sub := range n {
			anyID(sub)
		}
	}
}

func TestAnswersFollowTheOpenAPIDescription(t *testing.T) {
	t.Parallel()
	doc := loadOpenAPI(t)
	end := time.Date(2026, 11, 20, 16, 0, 0, 0, time.UTC)
	w := worldgen.New(worldgen.Config{Events: 4000, Rooms: 30, End: end})
	p := demoportal.New(w, demoportal.Options{Now: fixed(end.Add(24 * time.Hour))})

	var room *world.Room
	var person *world.Account
	var group *world.Group
	var file *world.File
	w.Read(end, func(v world.View) {
		room, group, person = v.Rooms()[0], v.Groups()[0], v.Accounts()[3]
		file = room.Files[0]
	})
	paths := map[string][]string{ // by route of the description, with values for its parameters
		"/api/2.0/security/audit/events/filter":                  {"?count=100", "?count=100&startIndex=2000", "?action=RoomCreateUser", "?action=5015"},
		"/api/2.0/security/audit/events/last":                    {""},
		"/api/2.0/security/audit/types":                          {""},
		"/api/2.0/security/audit/mappers":                        {""},
		"/api/2.0/security/audit/settings/lifetime":              {""},
		"/api/2.0/keys/@self":                                    {""},
		"/api/2.0/people/@self":                                  {""},
		"/api/2.0/people":                                        {""},
		"/api/2.0/people/filter":                                 {"", "?employeeStatus=Terminated", "?sortBy=email"},
		"/api/2.0/people/{userid}":                               {person.ID},
		"/api/2.0/people/room/{id}":                              {room.ID},
		"/api/2.0/group":                                         {""},
		"/api/2.0/group/{id}":                                    {group.ID, world.EveryoneID},
		"/api/2.0/files/rooms":                                   {"", "?searchArea=Any", "?searchArea=Archive", "?searchArea=7"},
		"/api/2.0/files/rooms/{id}":                              {room.ID, "sbox-21"},
		"/api/2.0/files/rooms/{id}/share":                        {room.ID, room.ID + "?filterType=Link"},
		"/api/2.0/files/rooms/{id}/links":                        {room.ID},
		"/api/2.0/files/folder/{folderId}":                       {room.ID},
		"/api/2.0/files/folder/{folderId}/path":                  {file.Folder.ID},
		"/api/2.0/files/folder/{folderId}/log":                   {room.ID, room.ID + "?count=100&startIndex=100"},
		"/api/2.0/files/file/{fileId}":                           {file.ID},
		"/api/2.0/files/file/{fileId}/log":                       {file.ID},
		"/api/2.0/files/folder/{folderId}/group/{groupId}/share": {room.ID + " " + group.ID},
	}
	for route, values := range paths {
		item := doc.Paths.Find(route)
		if item == nil {
			t.Errorf("%s: not in the description", route)
			continue
		}
		schema := item.Get.Responses.Status(http.StatusOK).Value.Content.Get("application/json").Schema.Value
		for _, value := range values {
			path, query, _ := strings.Cut(value, "?")
			parts := strings.Fields(path)
			url := strings.TrimPrefix(route, "/api/2.0/")
			for _, part := range parts {
				start := strings.Index(url, "{")
				url = url[:start] + part + url[strings.Index(url, "}")+1:]
			}
			if query != "" {
				url += "?" + query
			}
			answer := get(t, p, url)
			var body any
			if err := json.Unmarshal(answer.Body, &body); err != nil {
				t.Fatalf("%s: %v", url, err)
			}
			if err := schema.VisitJSON(body); err != nil {
				t.Errorf("%s: %v", url, err)
			}
		}
	}
}
