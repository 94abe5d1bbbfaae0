package docspace

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"roompulse/internal/audit"
)

func str(s string) sql.NullString { return sql.NullString{String: s, Valid: true} }
func num(n int16) sql.NullInt16   { return sql.NullInt16{Int16: n, Valid: true} }

func TestEventsOfAPortal(t *testing.T) {
	t.Parallel()
	p, err := serveExample(t, "audit-events.1-page.json").Events(t.Context(), time.Time{}, time.Time{}, 0, 100)
	if err != nil || len(p.Events) != 3 || p.Rows() != 3 {
		t.Fatalf("%d rows, %v", p.Rows(), err)
	}
	want := audit.Event{
		ID:        90411,
		At:        time.Date(2026, 9, 14, 14, 4, 2, 0, time.UTC),
		Offset:    7200,
		ActorID:   "c9a2e0f4-5b3d-4d62-9f57-1c8e7b6a4433",
		ActorName: "Chloe Marin",
		Kind:      audit.Kind{ActionID: 5054, Type: num(2), Product: num(2), Location: num(1), Entries: "1"},
		Text:      str("(localized text: minutes.docx opened for editing)"),
		Client: audit.NewClient(audit.Origin{
			IP: str("203.0.113.77"), Country: str("France"), City: str("Lyon"), Browser: str("Chrome 139"), Platform: str("Mac OS X 14"),
		}),
		Page:    str("https://portal.example.org/filehandler.ashx"),
		Target:  []string{"7290"},
		Context: str("Rooms: Field Survey"),
	}
	if !reflect.DeepEqual(p.Events[2], want) {
		t.Errorf("got  %+v\nwant %+v", p.Events[2], want)
	}
	if c := p.Events[1].Client.Origin().Country; c != str("") {
		t.Errorf("an empty country is %+v", c)
	}

	p, err = serveExample(t, "audit-events.3-odd-actors.json").Events(t.Context(), time.Time{}, time.Time{}, 0, 100)
	if err != nil || len(p.Events) != 5 {
		t.Fatalf("%d rows, %v", p.Rows(), err)
	}
	background, origin := p.Events[0], p.Events[0].Client.Origin()
	if origin.IP.Valid || origin.Browser.Valid || background.Page.Valid || !origin.City.Valid {
		t.Errorf("what is absent is not told from what is empty: %+v %+v", background, origin)
	}
	if p.Events[3].Target != nil {
		t.Errorf("target %v of an event without one", p.Events[3].Target)
	}
}

func TestDecodeEvent(t *testing.T) {
	t.Parallel()
	base := audit.Event{ID: 7, At: time.Date(2026, 9, 14, 14, 5, 31, 0, time.UTC), ActorID: audit.AccountNobody}
	for name, test := range map[string]struct {
		item string // the fields after id and date
		want func(*audit.Event)
	}{
		"nothing else": {``, func(*audit.Event) {}},
		"unknown fields keep their values": {
			`,"initiator":{"big":12345678901234567890.123456789,"list":[1,"<&>",null,true]},"zoom":null`,
			func(e *audit.Event) {
				e.Extra = json.RawMessage(`{"initiator":{"big":12345678901234567890.123456789,"list":[1,"<&>",null,true]},"zoom":null}`)
			},
		},
		"known fields of another type are kept": {
			`,"ip":[1],"user":{"name":"Anna"},"page":5,"actionId":"Nonsense","actionType":1.5,"product":-1,"entries":[1,"x"],"target":{"id":4},"context":false`,
			func(e *audit.Event) {
				e.Extra = json.RawMessage(`{"actionId":"Nonsense","actionType":1.5,"context":false,"entries":[1,"x"],"ip":[1],"page":5,"product":-1,"target":{"id":4},"user":{"name":"Anna"}}`)
			},
		},
		"null is none": {
			`,"ip":null,"user":null,"target":null,"entries":null,"actionId":null,"userId":null,"entity":null,"roomId":null`,
			func(*audit.Event) {},
		},
		"enums by name": {
			`,"actionId":"FileUploaded","actionType":"Upload","product":"documents","location":"Files","entries":["File","Folder"]`,
			func(e *audit.Event) {
				e.Kind = audit.Kind{ActionID: 5011, Type: num(13), Product: num(2), Location: num(1), Entries: "1,2"}
			},
		},
		"enums of newer portals": {
			`,"actionId":6109,"actionType":77,"product":9,"location":50,"entries":[28]`,
			func(e *audit.Event) {
				e.Kind = audit.Kind{ActionID: 6109, Type: num(77), Product: num(9), Location: num(50), Entries: "28"}
			},
		},
		"module before 3.5": {
			`,"module":27`,
			func(e *audit.Event) { e.Kind.Location = num(27) },
		},
		"targets": {
			`,"target":["7290",844,"sbox-7"]`,
			func(e *audit.Event) { e.Target = []string{"7290", "844", "sbox-7"} },
		},
		"a lone target": {
			`,"target":7290`,
			func(e *audit.Event) { e.Target = []string{"7290"} },
		},
		"no targets": {
			`,"target":[]`,
			func(e *audit.Event) { e.Target = []string{} },
		},
		"sample: user and room": {
			`,"userId":"user-aaa","roomId":463996,"entityType":"File"`,
			func(e *audit.Event) {
				e.ActorID, e.Payload = "user-aaa", audit.Payload{RoomID: "463996", EntityType: "File"}
				e.Extra = json.RawMessage(`{"entityType":"File","roomId":463996}`)
			},
		},
		"sample: account and space": {
			`,"account":"user-bbb","userId":"","roomId":0,"spaceId":" 274818 ","targetType":"document","entityType":""`,
			func(e *audit.Event) {
				e.ActorID, e.Payload = "user-bbb", audit.Payload{RoomID: "274818", EntityType: "document"}
				e.Extra = json.RawMessage(`{"entityType":"","roomId":0,"spaceId":" 274818 ","targetType":"document"}`)
			},
		},
		"sample: folder, and entity as a type": {
			`,"userId":17,"folderId":"463996","entity":"folder"`,
			func(e *audit.Event) {
				e.ActorID, e.Payload = "17", audit.Payload{FolderID: "463996", EntityType: "folder"}
				e.Extra = json.RawMessage(`{"entity":"folder","folderId":"463996"}`)
			},
		},
		"sample: entity with a room": {
			`,"userId":"u","entity":{"roomId":"0463996","name":"x"},"entityType":"room"`,
			func(e *audit.Event) {
				e.ActorID, e.Payload = "u", audit.Payload{RoomID: "463996", EntityType: "room"}
				e.Extra = json.RawMessage(`{"entity":{"name":"x","roomId":"0463996"},"entityType":"room"}`)
			},
		},
		"sample: entity with a space and no type": {
			`,"userId":"u","account":"v","entity":{"spaceId":463996.0,"requestToken":"t"}`,
			func(e *audit.Event) {
				e.ActorID, e.Payload = "u", audit.Payload{RoomID: "463996", EntityType: `{"spaceId":463996.0}`}
				e.Extra = json.RawMessage(`{"account":"v","entity":{"spaceId":463996.0}}`)
			},
		},
		"links": {
			`,"x":[{"sharedLink":{"password":"p"},"deep":{"requestToken":"t","ShareLink":"s","share_link":"s","title":"T"}}],"password":"p"`,
			func(e *audit.Event) { e.Extra = json.RawMessage(`{"x":[{"deep":{"title":"T"}}]}`) },
		},
		"addresses in unknown fields": {
			`,"webUrl":"https://h/doceditor?fileid=1","referer":"/rooms/x?key=1","note":"see https://u:p@h/s/Tok?a=b, sk-0123456789abcdef0123 & more?"`,
			func(e *audit.Event) {
				e.Extra = json.RawMessage(`{"note":"see https://h/s/ [redacted] & more?","referer":"/rooms/x","webUrl":"https://h/doceditor"}`)
			},
		},
		"what PostgreSQL cannot hold": {
			`,"user":"a\u0000b","page":"https://h/\u0000x","new\u0000":"\ud800 \u0000","huge":1e999999,"ip":"\udfff"`,
			func(e *audit.Event) {
				e.ActorName, e.Page = "a\uFFFDb", str("https://h/\uFFFDx")
				e.Client = audit.NewClient(audit.Origin{IP: str("\uFFFD")})
				e.Extra = json.RawMessage("{\"huge\":\"1e999999\",\"new\uFFFD\":\"\uFFFD \uFFFD\"}")
			},
		},
		"too deep": {
			`,"x":` + strings.Repeat("[", 500) + strings.Repeat("]", 500),
			func(e *audit.Event) {
				e.Extra = json.RawMessage(`{"x":` + strings.Repeat("[", maxDepth) + `"[nested too deep]"` + strings.Repeat("]", maxDepth) + `}`)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := decodeEvent([]byte(`{"id":"7","date":"2026-09-14T14:05:31Z"` + test.item + `}`))
			if err != nil {
				t.Fatal(err)
			}
			want := base
			test.want(&want)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v\nextra %s", got, want, got.Extra)
			}
		})
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	for date, want := range map[string]struct {
		at     string
		offset int
	}{
		"2026-09-14T16:05:31.0000000+02:00": {"2026-09-14T14:05:31Z", 7200},
		"2026-09-14T16:05:31Z":              {"2026-09-14T16:05:31Z", 0},
		"2026-09-14T16:05:31.123456Z":       {"2026-09-14T16:05:31.123456Z", 0},
		"2026-09-14T16:05:31.5-09:30":       {"2026-09-15T01:35:31.5Z", -34200},
		"2026-09-14T16:05:31.12345678901Z":  {"2026-09-14T16:05:31.123456789Z", 0},
		"2026-09-14T16:05:31.0000000":       {},
		"2026-09-14T16:05:31":               {},
		"2026-09-14":                        {},
		"2026-02-30T00:00:00Z":              {},
		"":                                  {},
	} {
		at, offset, err := parseDate(date)
		if want.at == "" {
			if err == nil {
				t.Errorf("%q is taken for a date", date)
			}
			continue
		}
		if err != nil || at.Format(time.RFC3339Nano) != want.at || at.Location() != time.UTC || offset != want.offset {
			t.Errorf("%q is %v, %d, %v", date, at, offset, err)
		}
	}
	if _, _, err := parseDate("2026-09-14T16:05:31"); err == nil || !strings.Contains(err.Error(), "offset") {
		t.Errorf("a date without offset: %v", err)
	}
}

func TestUndecodableItemsAreKeptRedacted(t *testing.T) {
	t.Parallel()
	items := []struct{ item, body, reason string }{
		{`{"id":1,"date":"2026-09-14T14:05:31","page":"https://h/s/Tok?x=1"}`, `{"date":"2026-09-14T14:05:31","id":1,"page":"https://h/s/"}`, "offset"},
		{`{"id":0, "date":"2026-09-14T14:05:31Z"}`, `{"date":"2026-09-14T14:05:31Z","id":0}`, "no id"},
		{`{"date":"2026-09-14T14:05:31Z","requestToken":"t"}`, `{"date":"2026-09-14T14:05:31Z"}`, "no id"},
		{`{"id":2}`, `{"id":2}`, "no date"},
		{`{"id":99999999999999999999,"date":"2026-09-14T14:05:31Z"}`, `{"date":"2026-09-14T14:05:31Z","id":99999999999999999999}`, "no id"},
		{`"<a href='https://h/x?token=1'>"`, `"<a href='https://h/x'>"`, "no JSON object"},
		{`null`, `null`, "no JSON object"},
		{`[1]`, `[1]`, "no JSON object"},
	}
	raw := make([]string, 0, len(items)+1)
	for _, i := range items {
		raw = append(raw, i.item)
	}
	raw = append(raw, `{"id":3,"date":"2026-09-14T14:05:31Z"}`)
	c := newClient(t, Config{Transport: answer(`{"response":[` + strings.Join(raw, " ,\n ") + `]}`)})
	p, err := c.Events(t.Context(), time.Time{}, time.Time{}, 0, 100)
	if err != nil || len(p.Events) != 1 || p.Rows() != len(raw) {
		t.Fatalf("%d events of %d rows, %v", len(p.Events), p.Rows(), err)
	}
	for i, want := range items {
		got := p.Undecodable[i]
		if string(got.Body) != want.body || !strings.Contains(got.Reason, want.reason) || got.SHA256 != sha256.Sum256([]byte(want.item)) {
			t.Errorf("%s: got %q because %s", want.item, got.Body, got.Reason)
		}
	}
}

func TestRedactAddress(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://portal.example.org/rooms/shared/812/filter?folder=812": "https://portal.example.org/rooms/shared/812/filter",
		"https://portal.example.org/rooms/shared/812#token":             "https://portal.example.org/rooms/shared/812",
		"https://portal.example.org/s/Pq9sTz":                           "https://portal.example.org/s/",
		"https://portal.example.org/s/Pq9sTz/more/s/x?y#z":              "https://portal.example.org/s/",
		"https://portal.example.org/S/Pq9sTz":                           "https://portal.example.org/S/",
		"https://portal.example.org/%73/Pq9sTz":                         "https://portal.example.org/%73/",
		"https://portal.example.org%2Fs%2fPq9sTz":                       "https://portal.example.org%2Fs%2f",
		"https://portal.example.org%252Fs%252fPq9sTz":                   "https://portal.example.org%252Fs%252f",
		`https:\\portal.example.org\s\Pq9sTz`:                           `https:\\portal.example.org\s\`,
		"https://portal.example.org/\ts/\nPq9sTz":                       "https://portal.example.org/s/",
		"/s/Pq9sTz":                     "/s/",
		"s/Pq9sTz":                      "s/",
		"//portal.example.org/s/Pq9sTz": "//portal.example.org/s/",
		"/rooms/812?key=1":              "/rooms/812",
		"/rooms/812%3Fkey=1":            "/rooms/812",
		"/rooms/812;jsessionid=1":       "/rooms/812",
		"/rooms/812&key=1":              "/rooms/812",
		"https://portal.example.org/to/https://anna:pw@h/x":     "https://portal.example.org/to/",
		"https://portal.example.org/to/https%3A%2F%2Fanna:pw@h": "https://portal.example.org/to/",
		"?key=1":                                  "",
		"https://anna:pw@portal.example.org/x":    "https://portal.example.org/x",
		"https://anna:p@w@portal.example.org/x":   "https://portal.example.org/x",
		"https://portal.example.org/people/@self": "https://portal.example.org/people/@self",
		"https://[::1":                            "https://[::1",
		"http://%zz/s/x":                          "http://%zz/s/",
		"javascript:alert('secret')":              "javascript:",
		"data:text/html,secret":                   "data:",
		"":                                        "",
		"https://portal.example.org/settings/s":   "https://portal.example.org/settings/s",
		"https://portal.example.org/rooms/":       "https://portal.example.org/rooms/",
	} {
		if got := redactAddress(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func answer(body string) http.RoundTripper {
	return inMemory(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
}

var secretWords = []string{"password", "token", "secret", "sharelink", "sharedlink", "signature", "cookie"}

// checkStorable fails for JSON that PostgreSQL's jsonb would refuse or that holds secrets.
func checkStorable(t *testing.T, raw []byte) {
	t.Helper()
	if !json.Valid(raw) || !utf8.Valid(raw) || bytes.Contains(raw, []byte(`\u0000`)) && !bytes.Contains(raw, []byte(`\\u0000`)) {
		t.Fatalf("not storable: %q", raw)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	for {
		token, err := dec.Token()
		if err != nil {
			return
		}
		s, ok := token.(string)
		if !ok {
			continue
		}
		if strings.ContainsRune(s, 0) {
			t.Fatalf("NUL in %q", raw)
		}
		for _, u := range address.FindAllString(s, -1) {
			checkAddress(t, u)
		}
	}
}

func checkAddress(t *testing.T, s string) {
	t.Helper()
	if strings.ContainsAny(s, "?#") {
		t.Fatalf("address %q has a query or fragment", s)
	}
	if i := strings.Index(strings.ToLower(s), "/s/"); i >= 0 && len(s) > i+3 {
		t.Fatalf("address %q has a share token", s)
	}
	if again := redactAddress(s); again != s {
		t.Fatalf("address %q can be cut further to %q", s, again)
	}
}

func checkNames(t *testing.T, v any) {
	t.Helper()
	switch v := v.(type) {
	case []any:
		for _, v := range v {
			checkNames(t, v)
		}
	case map[string]any:
		for name, v := range v {
			for _, word := range secretWords {
				if strings.Contains(strings.ToLower(name), word) {
					t.Fatalf("field %q is kept", name)
				}
			}
			checkNames(t, v)
		}
	}
}

func FuzzDecodeEvent(f *testing.F) {
	files, err := filepath.Glob("testdata/audit-events.*.json")
	if err != nil || len(files) != 3 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var page envelope
		if err := json.Unmarshal(b, &page); err != nil {
			f.Fatal(err)
		}
		var items []json.RawMessage
		if err := json.Unmarshal(page.Response, &items); err != nil {
			f.Fatal(err)
		}
		for _, item := range items {
			f.Add([]byte(item))
		}
	}
	f.Add([]byte(`{"id":"7","date":"2026-09-14T14:05:31.1Z","account":"u","entity":{"roomId":"5"},"entityType":"file","x":{"shareLink":"https://h/s/T"}}`))
	f.Add([]byte(`{"id":1,"date":"2026-09-14T14:05:31","page":"//a@b\\s\\T%3f"}`))
	f.Add([]byte(`"\ud800\u0000 http://h/s/x?y"`))
	f.Fuzz(func(t *testing.T, item []byte) {
		e, err := decodeEvent(item)
		if err != nil {
			body := redactJSON(item)
			checkStorable(t, body)
			var v any
			if json.Unmarshal(body, &v) != nil {
				t.Fatalf("the body is no JSON: %q", body)
			}
			checkNames(t, v)
			if err.Error() == "" {
				t.Fatal("no reason")
			}
			return
		}
		if e.ID <= 0 || e.At.IsZero() && e.At.Year() != 1 || e.At.Location() != time.UTC || e.ActorID == "" {
			t.Fatalf("%+v", e)
		}
		checkAddress(t, e.Page.String)
		origin := e.Client.Origin()
		texts := append([]string{
			e.ActorID, e.ActorName, e.Text.String, e.Page.String, e.Context.String, origin.IP.String, origin.Country.String,
			origin.City.String, origin.Browser.String, origin.Platform.String, e.Payload.EntityType,
		}, e.Target...)
		for _, s := range texts {
			if strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
				t.Fatalf("%q cannot be stored", s)
			}
		}
		if e.Extra != nil {
			var fields map[string]any
			if err := json.Unmarshal(e.Extra, &fields); err != nil || len(fields) == 0 {
				t.Fatalf("extra %q: %v", e.Extra, err)
			}
			checkStorable(t, e.Extra)
			checkNames(t, fields)
		}
	})
}
