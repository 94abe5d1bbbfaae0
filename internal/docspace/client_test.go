package docspace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"roompulse/internal/audit"
)

const emptyList = `{"response":[],"count":0,"total":0,"status":0,"statusCode":200}`

func TestRequest(t *testing.T) {
	t.Parallel()
	var got *http.Request
	c := newClient(t, Config{UserAgent: "roompulse/1.2", Transport: inMemory(func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("Date", "Mon, 14 Sep 2026 14:10:03 GMT")
		_, _ = w.Write([]byte(emptyList))
	})})
	from := time.Date(2026, 9, 14, 16, 0, 0, 0, time.FixedZone("", 7200))
	p, err := c.Events(t.Context(), from, from.Add(time.Hour), 200, 97)
	if err != nil {
		t.Fatal(err)
	}
	const want = "https://portal.example.org/api/2.0/security/audit/events/filter" +
		"?count=97&from=2026-09-14T14%3A00%3A00Z&startIndex=200&to=2026-09-14T15%3A00%3A00Z"
	if got.URL.String() != want {
		t.Errorf("asked %s, want %s", got.URL, want)
	}
	for name, value := range map[string]string{
		"Authorization": "Bearer " + testKey, "Accept": "application/json", "User-Agent": "roompulse/1.2",
	} {
		if got.Header.Get(name) != value {
			t.Errorf("%s: %s, want %s", name, got.Header.Get(name), value)
		}
	}
	if want := time.Date(2026, 9, 14, 14, 10, 3, 0, time.UTC); !p.PortalTime.Equal(want) || p.PortalTime.Location() != time.UTC {
		t.Errorf("portal time %v", p.PortalTime)
	}
}

func TestNow(t *testing.T) {
	t.Parallel()
	date := "Mon, 14 Sep 2026 14:10:03 GMT"
	c := newClient(t, Config{Transport: inMemory(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", date)
		_, _ = w.Write(example(t, "audit-events.1-page.json"))
	})})
	now, err := c.Now(t.Context())
	if want := time.Date(2026, 9, 14, 14, 10, 3, 0, time.UTC); err != nil || !now.Equal(want) {
		t.Errorf("Now: %v, %v", now, err)
	}
	date = ""
	if _, err := c.Now(t.Context()); err == nil || !strings.Contains(err.Error(), "Date") {
		t.Errorf("Now without a Date header: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", " \n", "sk-1\nX: y", "sk-1 2", "sk-ключ"} {
		_, err := New(Config{Host: "acme.onlyoffice.com", Key: key})
		if err == nil || strings.TrimSpace(key) != "" && strings.Contains(err.Error(), key) {
			t.Errorf("key %q: %v", key, err)
		}
	}
	if _, err := New(Config{Host: "http://acme.onlyoffice.com", Key: testKey}); err == nil {
		t.Error("plain http is accepted")
	}
}

// step is one answer of a portal that fails.
type step func(w http.ResponseWriter)

func status(code int, body string) step {
	return func(w http.ResponseWriter) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// What passes is waited for, however it looks, once the portal has been seen.
func TestTransientFailuresAreRetried(t *testing.T) {
	t.Parallel()
	html := "\n<!DOCTYPE html><html><body>Bad gateway</body></html>"
	whole := string(example(t, "audit-events.1-page.json"))
	for name, fail := range map[string]any{
		"too many requests":    status(429, ""),
		"failure inside":       status(500, string(example(t, "error.500-moduleType.json"))),
		"bad gateway":          status(502, html),
		"unavailable":          status(503, ""),
		"timeout of the proxy": status(504, html),
		"request timeout":      status(408, ""),
		"page instead of JSON": status(200, html),
		"page and not found":   status(404, html),
		"cut JSON":             status(200, whole[:len(whole)/2]),
		"nothing":              status(200, ""),
		"other JSON":           status(200, `{"ok":true}`),
		"connection refused":   syscall.ECONNREFUSED,
		"connection reset":     syscall.ECONNRESET,
		"connection cut":       io.ErrUnexpectedEOF,
		"anything else":        errors.New("http2: server sent GOAWAY"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := 0
				answer := inMemory(func(w http.ResponseWriter, _ *http.Request) {
					if fail, ok := fail.(step); ok && n > 1 && n < 7 {
						fail(w)
						return
					}
					_, _ = io.WriteString(w, whole)
				})
				var log bytes.Buffer
				c := newClient(t, Config{Logger: logTo(&log), Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
					n++
					if err, ok := fail.(error); ok && n > 1 && n < 7 {
						return nil, err
					}
					return answer.RoundTrip(r)
				})})
				if _, err := c.Now(t.Context()); errors.As(err, new(*Error)) {
					t.Fatal(err)
				}
				start := time.Now()
				p, err := c.Events(t.Context(), start, start, 0, 100)
				if err != nil || len(p.Events) != 3 {
					t.Fatalf("%d events, %v", len(p.Events), err)
				}
				if took := time.Since(start); took < 24*time.Second || took > 38*time.Second { // 1+2+4+8+16 s, give or take a fifth
					t.Errorf("it took %v", took)
				}
				if got := c.Traffic(); got.Requests != 7 || got.Retries != 5 {
					t.Errorf("traffic %+v", got)
				}
				lines := strings.Count(log.String(), "level=WARN") // of the third retry and later ones
				if lines != 3 || !strings.Contains(log.String(), "try=5 wait=") || strings.Contains(log.String(), "startIndex") {
					t.Errorf("%d warnings:\n%s", lines, log.String())
				}
			})
		})
	}
}

func TestRetriesEndWithTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Config{RetryBudget: 3 * time.Minute, Transport: inMemory(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
		})})
		start := time.Now()
		_, err := c.Accounts(t.Context())
		if !errors.Is(err, audit.ErrUnavailable) {
			t.Error(err)
		}
		if took := time.Since(start); took != 3*time.Minute {
			t.Errorf("gave up after %v", took)
		}
	})
}

// A wrong address is told in seconds, not after the whole time budget.
func TestDoubtfulHostIsGivenUpSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Config{Transport: inMemory(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "<html>Welcome</html>")
		})})
		start := time.Now()
		_, err := c.Now(t.Context())
		if !errors.Is(err, audit.ErrUnavailable) || !strings.Contains(err.Error(), "web page") || !strings.Contains(err.Error(), hintHost) {
			t.Error(err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("gave up after %v", took)
		}
	})
}

func TestCancelEndsRetriesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Config{Transport: inMemory(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
		})})
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		time.AfterFunc(2500*time.Millisecond, cancel)
		_, err := c.Groups(ctx)
		if !errors.Is(err, context.Canceled) || time.Since(start) != 2500*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if errors.As(err, new(*Error)) || err.Error() != "list groups: context canceled" {
			t.Errorf("a canceled request reads %v", err)
		}
	})
}

func TestHangingRequestTimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c := newClient(t, Config{Timeout: 20 * time.Second, RetryBudget: time.Minute, Logger: logTo(&log), Transport: transportFunc(
			func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			})})
		_, err := c.Groups(t.Context())
		if !errors.Is(err, audit.ErrUnavailable) || !strings.Contains(err.Error(), "no complete answer within 20s") {
			t.Error(err)
		}
		if n := strings.Count(log.String(), "the portal has not answered yet"); n != 1 {
			t.Errorf("the log says %d times that there is no answer, want once:\n%s", n, &log)
		}
	})
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte(" "), len(p))), nil }

func TestTooLargeAnswerIsNotRead(t *testing.T) {
	t.Parallel()
	c := newClient(t, Config{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(endless{}), Header: http.Header{}, Request: r}, nil
	})})
	_, err := c.Groups(t.Context())
	if err == nil || !strings.Contains(err.Error(), "larger than 32 MiB") || c.Traffic().Requests != 1 {
		t.Error(err, c.Traffic())
	}
}

func TestConfigAndClientDoNotShowTheKey(t *testing.T) {
	t.Parallel()
	cfg := Config{Host: "acme.onlyoffice.com", Key: testKey}
	c := newClient(t, cfg)
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", cfg)
		fmt.Fprintf(&out, verb+"\n", &cfg)
		fmt.Fprintf(&out, verb+"\n", c)
	}
	spew := fmt.Sprintf("%+v %#v", struct{ C *Client }{c}, reflect.ValueOf(c).Elem())
	out.WriteString(spew)
	for _, v := range []any{cfg, &cfg} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		out.Write(b)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", slog.Any("cfg", cfg), slog.Any("ref", &cfg), slog.Any("client", c))
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", slog.Any("cfg", cfg), slog.Any("ref", &cfg))
	mustNotHoldKey(t, out.String())
	if !strings.Contains(out.String(), "acme.onlyoffice.com") {
		t.Error("nothing was printed")
	}
}

func mustNotHoldKey(t *testing.T, s string) {
	t.Helper()
	for _, form := range []string{testKey, fmt.Sprintf("%x", testKey), testKey[3:40]} {
		if i := strings.Index(s, form); i >= 0 {
			t.Fatalf("the key is shown: %.300s", s[max(0, i-100):])
		}
	}
}
