package docspace

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"roompulse/internal/audit"
)

var kinds = []error{audit.ErrRefused, audit.ErrNotReadable, audit.ErrGone, audit.ErrUnavailable}

func list(ctx context.Context, c *Client) error {
	_, err := c.Events(ctx, time.Time{}, time.Time{}, 0, 100)
	return err
}

func one(ctx context.Context, c *Client) error { _, err := c.Members(ctx, "812"); return err }

func TestStatusErrors(t *testing.T) {
	t.Parallel()
	const (
		events = "list audit events: GET https://portal.example.org/api/2.0/security/audit/events/filter: "
		room   = "list members of room 812: GET https://portal.example.org/api/2.0/files/rooms/812/share: "
		key    = "make a key as the portal's owner or a DocSpace admin with the scope *:read and set DOCSPACE_API_KEY"
	)
	security := `{"error":{"message":"Access denied","type":"System.Security.SecurityException","stack":"   at ASC.Secret"},"status":1,"statusCode":403}`
	invalid := `{"error":{"message":"You don't have enough permission","type":"System.InvalidOperationException","stack":"   at ASC"},"status":1,"statusCode":403}`
	for name, test := range map[string]struct {
		ask    func(context.Context, *Client) error
		status int
		body   string
		header http.Header
		kind   error
		want   string
	}{
		"wrong key": {
			list, 401, "", nil, audit.ErrRefused,
			events + "401: the API key is not accepted; " + key,
		},
		"wrong key for one room": {
			one, 401, "", nil, audit.ErrRefused,
			room + "401: the API key is not accepted; " + key,
		},
		"plan": {
			list, 402, string(example(t, "error.402-plan.json")), nil, audit.ErrRefused,
			events + "402: the portal's plan does not include this or is not paid ((localized message)); " +
				"see the portal's page Payments; the audit trail needs a plan that has it",
		},
		"scope": {
			list, 403, "", nil, audit.ErrRefused,
			events + "403: the API key lacks the scope *:read, or the portal is being restored or moved; " + key,
		},
		"scope for one room": {
			one, 403, "", nil, audit.ErrNotReadable,
			room + "403: the API key lacks the scope rooms:read, or the portal is being restored or moved; " + key,
		},
		"right": {
			list, 403, security, nil, audit.ErrRefused,
			events + "403: the key's owner may not read this (Access denied); " + key,
		},
		"right in one room": {
			one, 403, security, nil, audit.ErrNotReadable,
			room + "403: the key's owner may not read this (Access denied)",
		},
		"invalid operation": {
			list, 403, invalid, nil, audit.ErrRefused,
			events + "403: the portal denies access (You don't have enough permission); " +
				"or it failed inside, see its log; if it is the right that lacks: " + key,
		},
		"invalid operation in one room": {
			one, 403, invalid, nil, audit.ErrNotReadable,
			room + "403: the portal denies access (You don't have enough permission)",
		},
		"address": {
			one, 403, `"Your IP address is not allowed"`, nil, audit.ErrNotReadable,
			room + "403: the portal does not serve this address (Your IP address is not allowed); " +
				"allow this machine's IP address in the portal's security settings",
		},
		"portal state": {
			one, 403, `{"type":"https://tools.ietf.org/html/rfc9110","title":"Forbidden","status":403}`, nil, audit.ErrNotReadable,
			room + "403: the portal, or something before it, denies access (Forbidden); it may be being restored, moved or encrypted",
		},
		"portal state and a list": {
			list, 403, `{"title":"Forbidden","status":403}`, nil, audit.ErrRefused,
			events + "403: the portal, or something before it, denies access (Forbidden); it may be being restored, moved or encrypted",
		},
		"address and a list": {
			list, 403, `"No"`, nil, audit.ErrRefused,
			events + "403: the portal does not serve this address (No); allow this machine's IP address in the portal's security settings",
		},
		"gone": {
			one, 404, string(example(t, "error.404-folder.json")), nil, audit.ErrGone,
			room + "404: it does not exist any more ((localized message))",
		},
		"suspended": {
			list, 404, "", nil, audit.ErrRefused,
			events + "404: this is no DocSpace portal, or it is suspended, or too old for this request; check DOCSPACE_API_HOST",
		},
		"suspended, one room": {
			one, 404, `{"error":{"message":"","type":null}}`, nil, audit.ErrRefused,
			room + "404: this is no DocSpace portal, or it is suspended, or too old for this request; check DOCSPACE_API_HOST",
		},
		"other host's 404": {
			list, 404, "<html>nginx</html>", nil, audit.ErrRefused,
			events + "404: this is no DocSpace portal, or it is suspended, or too old for this request; check DOCSPACE_API_HOST",
		},
		"binding": {
			list, 400, string(example(t, "error.400-binding.json")), nil, nil,
			events + "400: The field Count must be between 1 and 100.",
		},
		"argument": {
			list, 400, string(example(t, "error.400-argument.json")), nil, nil,
			events + "400: An item with the same key has already been added. Key: 5154",
		},
		"other": {
			list, 415, "", nil, nil,
			events + "415: unsupported media type",
		},
		"too many requests": {
			list, 429, "", nil, audit.ErrUnavailable,
			events + "429: the portal had too many requests; lower --max-requests-per-minute and --max-parallel; " +
				"other programs and browsers of the key's owner count too",
		},
		"too long to wait": {
			list, 429, "",
			http.Header{"Retry-After": {"7200"}},
			audit.ErrUnavailable,
			events + "429: the portal had too many requests; it asks to be left alone for 2h0m0s",
		},
		"failure": {
			list, 500, string(example(t, "error.500-moduleType.json")), nil, audit.ErrUnavailable,
			events + "500: the portal failed (Object reference not set to an instance of an object.); try again later",
		},
		"proxy": {
			list, 502, "<html><body>Bad gateway</body></html>", nil, audit.ErrUnavailable,
			events + "502: a web page instead of the API's answer; try again later",
		},
		"redirect": {
			list, 302, "",
			http.Header{"Location": {"https://Login.example.org/s/tok?x=1"}},
			nil,
			events + "302: the host redirects to https://Login.example.org and redirects are not followed; " +
				"if that is the portal, set DOCSPACE_API_HOST to it",
		},
		"redirect within": {
			list, 301, "",
			http.Header{"Location": {"/login"}},
			nil,
			events + "301: the host redirects to https://portal.example.org and redirects are not followed; check DOCSPACE_API_HOST",
		},
		"page": {
			list, 200, "<html>Welcome</html>", nil, audit.ErrUnavailable,
			events + "200: a web page instead of the API's answer; check DOCSPACE_API_HOST",
		},
		"other API": {
			list, 200, `{"hello":"world"}`, nil, audit.ErrUnavailable,
			events + "200: the answer is not the one of a DocSpace portal; check DOCSPACE_API_HOST",
		},
		"other form": {
			list, 200, `{"response":{"a":1}}`, nil, nil,
			events + "200: the answer has another form than expected: json: cannot unmarshal object into Go value of type []json.RawMessage",
		},
		"words for a terminal": {
			list, 400, `{"error":{"message":"a\u001b[31mb\r\nc\u0000\u202ed ` + strings.Repeat("x", 300) + `"}}`, nil, nil,
			events + "400: a [31mb c d " + strings.Repeat("x", 188) + "...",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, Config{Transport: inMemory(func(w http.ResponseWriter, _ *http.Request) {
					maps.Copy(w.Header(), test.header)
					w.WriteHeader(test.status)
					_, _ = io.WriteString(w, test.body)
				})})
				err := test.ask(t.Context(), c)
				if err == nil || err.Error() != test.want {
					t.Fatalf("got  %v\nwant %s", err, test.want)
				}
				for _, kind := range kinds {
					if got, want := errors.Is(err, kind), errors.Is(test.kind, kind); got != want {
						t.Errorf("errors.Is(err, %q) is %v", kind, got)
					}
				}
				if e, ok := errors.AsType[*Error](err); !ok || e.Code != test.status {
					t.Errorf("no Error with the status: %+v", e)
				}
			})
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	const date = "Mon, 14 Sep 2026 14:10:03 GMT"
	for _, test := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", date, 0},
		{"30", "", 30 * time.Second},
		{"-30", "", 0},
		{"999999999999", "", 24 * time.Hour},
		{"Mon, 14 Sep 2026 14:11:03 GMT", date, time.Minute},
		{"Mon, 14 Sep 2026 14:09:03 GMT", date, 0},
		{"Mon, 14 Sep 2026 14:11:03 GMT", "", 0},
		{"soon", date, 0},
	} {
		if got := retryAfter(http.Header{"Retry-After": {test.value}, "Date": {test.date}}); got != test.want {
			t.Errorf("Retry-After %q is %v, want %v", test.value, got, test.want)
		}
	}
}

// Hosts that are no portal, on the real network.
func TestConnectionErrors(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	silent := func(http.ResponseWriter, *http.Request) {}
	plain := httptest.NewServer(http.HandlerFunc(silent))
	t.Cleanup(plain.Close)
	secure := httptest.NewUnstartedServer(http.HandlerFunc(silent))
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	noSuchHost := transportFunc(func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "acme.example", IsNotFound: true}}
	})

	for name, test := range map[string]struct {
		cfg  Config
		want []string
	}{
		"refused": {
			Config{Host: "http://" + closed.Addr().String()},
			[]string{"list audit events: GET http://127.0.0.1:", "connection refused", "check DOCSPACE_API_HOST and that the portal is running"},
		},
		"http in place of https": {
			Config{Host: "https://" + strings.TrimPrefix(plain.URL, "http://")},
			[]string{"does not speak https as it should; check DOCSPACE_API_HOST and its port"},
		},
		"certificate": {
			Config{Host: secure.URL},
			[]string{"certificate is not valid: x509: ", "SSL_CERT_FILE"},
		},
		"name": {
			Config{Host: "acme.example", Transport: noSuchHost},
			[]string{"GET https://acme.example/api/2.0/security/audit/events/filter: the host's name is not known; check DOCSPACE_API_HOST and the network"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := test.cfg
			cfg.RetryBudget = time.Nanosecond // what is tried again is tested elsewhere
			err := list(t.Context(), newClient(t, cfg))
			if !errors.Is(err, audit.ErrUnavailable) {
				t.Errorf("not ErrUnavailable: %v", err)
			}
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v\nwant %q in it", err, want)
				}
			}
		})
	}
}

// A portal that repeats what it is sent must not make the client show the key.
func TestErrorsAndLogsDoNotShowTheKey(t *testing.T) {
	t.Parallel()
	bodies := []string{
		"", testKey, "<html>" + testKey + "</html>", `"` + testKey + `"`,
		`{"error":{"message":"bad header: Bearer ` + testKey + `","type":"` + testKey + `","stack":"` + testKey + `"}}`,
		`{"error":{"message":"no","type":"System.InvalidOperationException"},"response":{"title":"` + testKey + `"}}`,
		`{"title":"` + testKey + `","errors":{"` + testKey + `":["` + testKey + `"]}}`,
		`{"response":"` + testKey + `"}`, `{"response":[{"id":"` + testKey + `","date":"` + testKey + `"}],"count":1,"total":1}`,
		`{"response":{"folders":"` + testKey + `"}}`, `{"` + testKey, strings.Repeat(testKey[:31]+" ", 8) + testKey,
	}
	statuses := []int{200, 204, 301, 302, 400, 401, 402, 403, 404, 408, 415, 429, 500, 502, 503}
	asks := map[string]func(context.Context, *Client) error{
		"list": list, "one": one,
		"rooms": func(ctx context.Context, c *Client) error { _, err := c.Rooms(ctx); return err },
		"log": func(ctx context.Context, c *Client) error {
			_, err := c.RoomLog(ctx, testKey, time.Time{}, time.Time{}, 0, 1)
			return err
		},
		"file":     func(ctx context.Context, c *Client) error { _, err := c.FileFolder(ctx, testKey); return err },
		"folder":   func(ctx context.Context, c *Client) error { _, err := c.FolderPlace(ctx, "7"); return err },
		"self":     func(ctx context.Context, c *Client) error { _, err := c.Self(ctx); return err },
		"key":      func(ctx context.Context, c *Client) error { _, err := c.Key(ctx); return err },
		"lifetime": func(ctx context.Context, c *Client) error { _, err := c.AuditLifetime(ctx); return err },
		"group":    func(ctx context.Context, c *Client) error { _, err := c.Group(ctx, testKey); return err },
		"now":      func(ctx context.Context, c *Client) error { _, err := c.Now(ctx); return err },
	}
	for name, ask := range asks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				failed := 0
				check := func(transport http.RoundTripper) {
					c := newClient(t, Config{Logger: logTo(&log), RetryBudget: 10 * time.Second, Transport: transport})
					if err := ask(t.Context(), c); err != nil {
						failed++
						mustNotHoldKey(t, err.Error())
					}
				}
				for _, body := range bodies {
					for _, status := range statuses {
						check(inMemory(func(w http.ResponseWriter, r *http.Request) {
							if strings.Contains(r.URL.RawQuery, testKey) {
								t.Error("the key is in a query")
							}
							w.Header().Set("Location", "https://"+testKey+".example.org/"+testKey)
							w.Header().Set("Date", testKey)
							w.WriteHeader(status)
							_, _ = io.WriteString(w, body)
						}))
					}
				}
				check(transportFunc(func(r *http.Request) (*http.Response, error) {
					return nil, errors.New("cannot send " + r.Header.Get("Authorization"))
				}))
				mustNotHoldKey(t, log.String())
				if failed < 50 {
					t.Errorf("only %d errors", failed)
				}
			})
		})
	}
}
