package demoportal_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"roompulse/internal/demoportal"
	"roompulse/internal/demoportal/world"
)

// reply is what comes over a real connection.
type reply struct {
	status int
	header http.Header
	body   string
	err    error
}

func (r reply) is(status int) bool { return r.err == nil && r.status == status }

func fetch(ctx context.Context, url, path string) reply {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/2.0/"+path, nil)
	if err != nil {
		return reply{err: err}
	}
	r.Header.Set("Authorization", "Bearer "+demoportal.DefaultKey)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return reply{err: err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return reply{status: res.StatusCode, header: res.Header, body: string(body), err: err}
}

func TestFaultsOnTheWire(t *testing.T) {
	t.Parallel()
	p := demoportal.New(busySecond(), demoportal.Options{Now: fixed(day.AddDate(0, 0, 1))})
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	const path = "security/audit/events/filter"
	for fault, want := range map[demoportal.Fault]func(reply) bool{
		demoportal.NoFault: func(r reply) bool { return r.is(http.StatusOK) && json.Valid([]byte(r.body)) },
		demoportal.ServerError: func(r reply) bool {
			return r.is(http.StatusInternalServerError) && strings.HasPrefix(r.body, `{"error":{"message":`)
		},
		demoportal.BadGateway:  func(r reply) bool { return r.is(http.StatusBadGateway) && strings.HasPrefix(r.body, "<html>") },
		demoportal.Unavailable: func(r reply) bool { return r.is(http.StatusServiceUnavailable) && r.body == "" },
		demoportal.TooMany: func(r reply) bool {
			return r.is(http.StatusTooManyRequests) && r.body == "" && r.header.Get("X-RateLimit-Limit") != "" && r.header.Get("Retry-After") == ""
		},
		demoportal.Truncated: func(r reply) bool {
			return r.is(http.StatusOK) && len(r.body) > 1000 && !json.Valid([]byte(r.body))
		},
		demoportal.CutConnection: func(r reply) bool { return errors.Is(r.err, io.ErrUnexpectedEOF) && r.body != "" },
		demoportal.EmptyBody:     func(r reply) bool { return r.is(http.StatusOK) && r.body == "" },
	} {
		p.SetFaults(func(f *demoportal.Faults) { f.Script = func(demoportal.Request) demoportal.Fault { return fault } })
		if got := fetch(t.Context(), server.URL, path); !want(got) {
			t.Errorf("fault %d: %d, %d bytes, %v", fault, got.status, len(got.body), got.err)
		}
	}

	// A portal that hangs lets go when the client does.
	ctx, cancel := context.WithCancel(t.Context())
	p.SetFaults(func(f *demoportal.Faults) {
		f.Script = func(demoportal.Request) demoportal.Fault {
			cancel()
			return demoportal.Hang
		}
	})
	if got := fetch(ctx, server.URL, path); !errors.Is(got.err, context.Canceled) {
		t.Errorf("hanging: %v", got.err)
	}
}

func TestRandomFaultsRepeatAndPass(t *testing.T) {
	t.Parallel()
	draw := func(seed uint64) (faults []demoportal.Fault) {
		script := demoportal.RandomFaults(seed, 0.5, demoportal.ServerError, demoportal.Truncated)
		for n := range 40 {
			faults = append(faults, script(demoportal.Request{N: n, URL: []string{"/a", "/b"}[n%2]}))
		}
		return faults
	}
	first := draw(1)
	if !slices.Equal(first, draw(1)) || slices.Equal(first, draw(2)) {
		t.Error("faults do not depend on the seed alone")
	}
	for _, f := range []demoportal.Fault{demoportal.NoFault, demoportal.ServerError, demoportal.Truncated} {
		if !slices.Contains(first, f) {
			t.Errorf("fault %d never happens", f)
		}
	}
}

func TestRateLimitSlides(t *testing.T) {
	t.Parallel()
	now := day
	p := demoportal.New(world.New(world.Config{}), demoportal.Options{Now: fixed(day)})
	p.SetFaults(func(f *demoportal.Faults) {
		f.RateLimit = demoportal.RateLimit{PerMinute: 3, RetryAfter: true, Now: func() time.Time { return now }}
	})
	for _, c := range []struct {
		second, status int
		wait           string
	}{
		{0, 200, ""}, {10, 200, ""}, {20, 200, ""}, {30, 429, "30"}, {59, 429, "1"}, {60, 200, ""}, {61, 429, "9"}, {70, 200, ""}, {71, 429, "9"},
	} {
		now = day.Add(time.Duration(c.second) * time.Second)
		e := ask(t, p, demoportal.DefaultKey, "keys/@self")
		if e.Status != c.status || e.Header.Get("Retry-After") != c.wait {
			t.Errorf("second %d: %d, Retry-After %q, want %d, %q", c.second, e.Status, e.Header.Get("Retry-After"), c.status, c.wait)
		}
		if e.Status == 429 && (len(e.Body) > 0 || e.Header.Get("X-RateLimit-Limit") != "3" || e.Header.Get("X-RateLimit-Remaining") != "0") {
			t.Errorf("refusal: %v %s", e.Header, e.Body)
		}
	}
}

func TestConcurrencyLimit(t *testing.T) {
	t.Parallel()
	p := demoportal.New(world.New(world.Config{}), demoportal.Options{Now: fixed(day)})
	w := p.World()
	w.At(day.Add(-time.Hour), w.Owner()).ChangeSettings()
	inside, release := make(chan bool), make(chan bool)
	p.SetFaults(func(f *demoportal.Faults) {
		f.RateLimit.Concurrent = 2
		f.Garble = func(world.Event) string { // answers wait here, let in already
			inside <- true
			<-release
			return ""
		}
	})
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() { ask(t, p, demoportal.DefaultKey, "security/audit/events/filter?count=1") })
		<-inside
	}
	if e := ask(t, p, demoportal.DefaultKey, "security/audit/events/filter?count=1"); e.Status != 429 {
		t.Errorf("the third at one time: %d", e.Status)
	}
	close(release)
	wait.Wait()
	if e := ask(t, p, demoportal.DefaultKey, "keys/@self"); e.Status != 200 {
		t.Errorf("afterwards: %d", e.Status)
	}
	if n := p.MaxConcurrency(); n != 3 {
		t.Errorf("%d requests at one time, want 3", n)
	}
}

func TestPortalStates(t *testing.T) {
	t.Parallel()
	s := newScene()
	for name, c := range map[string]struct {
		faults demoportal.Faults
		path   string
		status int
		body   bool // in the shape of an error
	}{
		"suspended":         {demoportal.Faults{Suspended: true}, "files/rooms", 404, false},
		"key refused":       {demoportal.Faults{Refuse: 401}, "files/rooms", 401, false},
		"section hidden":    {demoportal.Faults{Audit: demoportal.AuditHidden}, "security/audit/events/filter", 402, true},
		"rooms go on":       {demoportal.Faults{Audit: demoportal.AuditHidden}, "files/rooms", 200, false},
		"room gone":         {demoportal.Faults{}, "files/rooms/4711", 404, true},
		"its members":       {demoportal.Faults{}, "files/rooms/4711/share", 404, true},
		"no such route":     {demoportal.Faults{}, "files/nothing", 404, false},
		"far rooms: no log": {demoportal.Faults{}, "files/folder/sbox-7/log", 404, false},
		"someone's trash":   {demoportal.Faults{}, "files/file/" + s.gone.ID, 403, true},
		"unreadable log":    {demoportal.Faults{Unreadable: func(id string) bool { return id == s.survey.ID }}, "files/folder/" + s.survey.ID + "/log", 403, true},
		"unreadable room":   {demoportal.Faults{Unreadable: func(id string) bool { return id == s.survey.ID }}, "files/rooms/" + s.survey.ID, 403, true},
	} {
		p := demoportal.New(s.World, demoportal.Options{Now: fixed(s.end)})
		p.SetFaults(func(f *demoportal.Faults) { *f = c.faults })
		e := ask(t, p, demoportal.DefaultKey, c.path)
		if e.Status != c.status || (e.Error != nil) != c.body {
			t.Errorf("%s: %d %s, want %d", name, e.Status, e.Body, c.status)
		}
	}
}

func TestActsAndFaultsWhilePaging(t *testing.T) {
	t.Parallel()
	w := busySecond()
	p := demoportal.New(w, demoportal.Options{Now: fixed(day.AddDate(0, 0, 1))})
	p.SetFaults(func(f *demoportal.Faults) {
		f.Before = func(r demoportal.Request) {
			if r.N == 2 {
				w.At(day.Add(5*time.Hour), w.Owner()).ChangeSettings()
			}
			if r.N == 3 {
				p.SetFaults(func(f *demoportal.Faults) { f.Audit = demoportal.AuditMissing })
			}
		}
	})
	first := events(t, p, "?count=100")
	second := events(t, p, "?count=100&startIndex=100")
	if second[0].ID != first[99].ID {
		t.Error("the row inserted meanwhile does not shift the pages")
	}
	if n := len(events(t, p, "?count=100&startIndex=200")); n != 20 {
		t.Errorf("%d rows after the option was lost", n)
	}
}

func TestGarbledItems(t *testing.T) {
	t.Parallel()
	p := demoportal.New(busySecond(), demoportal.Options{Now: fixed(day.AddDate(0, 0, 1))})
	p.SetFaults(func(f *demoportal.Faults) {
		f.Garble = func(e world.Event) string {
			if e.ID%2 == 0 {
				return `{"id":"what","page":"https://portal.example.org/s/SecretToken"}`
			}
			return ""
		}
	})
	items := decode[[]json.RawMessage](t, get(t, p, "security/audit/events/filter").Response)
	garbled := 0
	for _, raw := range items {
		if strings.Contains(string(raw), "what") {
			garbled++
		}
	}
	if len(items) != 100 || garbled == 0 || garbled == 100 {
		t.Errorf("%d of %d items are garbled", garbled, len(items))
	}
}

func TestDateHeaderIsThePortalsClock(t *testing.T) {
	t.Parallel()
	p := demoportal.New(world.New(world.Config{}), demoportal.Options{Now: fixed(day)})
	if got, want := get(t, p, "keys/@self").Header.Get("Date"), day.Format(http.TimeFormat); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	p.SetFaults(func(f *demoportal.Faults) { f.DateSkew = -time.Hour })
	if got, want := get(t, p, "keys/@self").Header.Get("Date"), day.Add(-time.Hour).Format(http.TimeFormat); got != want {
		t.Errorf("skewed: %s, want %s", got, want)
	}
}

func TestRequestsAreCounted(t *testing.T) {
	t.Parallel()
	s := newScene()
	p := demoportal.New(s.World, demoportal.Options{Now: fixed(s.end)})
	get(t, p, "files/rooms/"+s.survey.ID+"/share?count=5")
	ask(t, p, "no key", "files/rooms")
	counts, all := p.RequestCounts()
	if all != 2 || counts["files/rooms/{id}/share"] != 1 || counts["files/rooms"] != 1 {
		t.Errorf("%d requests: %v", all, counts)
	}
	want := []demoportal.Request{
		{N: 1, Endpoint: "files/rooms/{id}/share", URL: "/api/2.0/files/rooms/" + s.survey.ID + "/share?count=5", Status: 200},
		{N: 2, Endpoint: "files/rooms", URL: "/api/2.0/files/rooms", Status: 401},
	}
	if got := p.Requests(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	p.ResetRequests()
	if _, all := p.RequestCounts(); all != 0 || len(p.Requests()) != 0 {
		t.Error("requests are not forgotten")
	}
}
