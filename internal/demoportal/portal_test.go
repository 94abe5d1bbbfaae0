package demoportal_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"roompulse/internal/demoportal"
)

// day is an ordinary Monday morning.
var day = time.Date(2026, 9, 14, 8, 0, 0, 0, time.UTC)

// clock is a portal's clock that tests set.
func fixed(t time.Time) func() time.Time { return func() time.Time { return t } }

// envelope is an answer, whatever its shape.
type envelope struct {
	Status   int             `json:"-"`
	Header   http.Header     `json:"-"`
	Body     []byte          `json:"-"`
	Response json.RawMessage `json:"response"`
	Count    *int            `json:"count"`
	Total    *int            `json:"total"`
	Error    *struct {
		Message string  `json:"message"`
		Type    *string `json:"type"`
	} `json:"error"`
	StatusCode int `json:"statusCode"`
}

// ask sends a GET with the key and returns the answer.
func ask(tb testing.TB, h http.Handler, key, path string) envelope {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodGet, "/api/2.0/"+path, nil)
	r.Header.Set("Authorization", "Bearer "+key)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	res := rec.Result()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	e := envelope{Status: res.StatusCode, Header: res.Header, Body: body}
	if len(body) > 0 && body[0] == '{' {
		if err := json.Unmarshal(body, &e); err != nil {
			tb.Fatalf("%s: %v\n%s", path, err, body)
		}
	}
	return e
}

func get(tb testing.TB, h http.Handler, path string) envelope {
	tb.Helper()
	e := ask(tb, h, demoportal.DefaultKey, path)
	if e.Status != http.StatusOK {
		tb.Fatalf("%s: %d %s", path, e.Status, e.Body)
	}
	return e
}

type item struct {
	ID       int64    `json:"id"`
	Date     string   `json:"date"`
	User     string   `json:"user"`
	UserID   string   `json:"userId"`
	ActionID int      `json:"actionId"`
	IP       *string  `json:"ip"`
	Page     *string  `json:"page"`
	Target   []string `json:"target"`
	Context  *string  `json:"context"`
}

func decode[T any](tb testing.TB, raw json.RawMessage) T {
	tb.Helper()
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		tb.Fatalf("%v\n%s", err, raw)
	}
	return v
}

func events(tb testing.TB, h http.Handler, query string) []item {
	tb.Helper()
	return decode[[]item](tb, get(tb, h, "security/audit/events/filter"+query).Response)
}

func ids(items []item) []int64 {
	list := make([]int64, len(items))
	for i, e := range items {
		list[i] = e.ID
	}
	return list
}
